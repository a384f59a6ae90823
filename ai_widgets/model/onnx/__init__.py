"""Export of a small checkpoint to ONNX, for an engine without torch such as the page's (docs/page.md)."""
