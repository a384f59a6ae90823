"""Class server: many learners' sessions on one model, each over a WebSocket (docs/serving.md)."""
