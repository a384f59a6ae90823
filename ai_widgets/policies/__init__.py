"""Baseline policies: rules that decide when to reply, with the interface of a session."""
