"""Benchmarks of speed and memory, also at the published checkpoint's sizes."""
