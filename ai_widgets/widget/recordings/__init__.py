"""Recordings in a widget: what is shown is saved for a page, opened from one, and replayed with the model."""
