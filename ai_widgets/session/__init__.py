"""Streaming session: perceive, decide, respond. The package uses no threads, no comms and no Jupyter."""
