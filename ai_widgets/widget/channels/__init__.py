"""Channels of a widget: what both kinds have in common, whether the session runs in the kernel or in a page."""
