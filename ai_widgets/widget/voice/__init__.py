"""Speak replies with any text-to-speech of Python."""
