"""``ai-widgets doctor``: what is installed, what it can do here, and what to do where something cannot work."""
