"""Measurements of speed, memory and the published checkpoint's sizes."""
