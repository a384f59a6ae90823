"""One module a notebook, named as the notebook with an `n` before its number; each has `EXERCISES`, name → exercise."""
