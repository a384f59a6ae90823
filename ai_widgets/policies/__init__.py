"""Baselines that decide when to reply by a rule, with the interface of a session."""
