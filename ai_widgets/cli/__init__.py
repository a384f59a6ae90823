"""The command line ``ai-widgets``: the commands `run` and `demo`, and the entry points of the other commands."""
