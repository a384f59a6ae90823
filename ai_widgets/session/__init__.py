"""The loop of one session: perceive, decide, respond. No threads, no comms, no Jupyter."""
