"""The command line: `run`, `demo` and the parsers of the other commands."""
