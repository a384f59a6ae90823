"""Branches: forks of the widget's session that run beside it, on a thread of their own."""
