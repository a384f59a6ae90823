"""Messages between kernel and pages: their schema, checks, rates, and the comm that carries them."""
