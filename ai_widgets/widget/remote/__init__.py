"""Client of a class server: a model that decides elsewhere (docs/serving.md)."""
