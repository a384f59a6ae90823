"""Kernel's side of ``engine="page"``: the session runs in a page, and its record arrives in the kernel."""
