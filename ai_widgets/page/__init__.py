"""The page: a checkpoint, the engine and the widget's front end as static files, without a kernel (docs/page.md)."""
