"""Stages of the pipeline: what is admitted, queued, held at the gate, and decided."""
