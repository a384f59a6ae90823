"""Stages of the pipeline: what is admitted, queued, paused at the gate, and decided."""
