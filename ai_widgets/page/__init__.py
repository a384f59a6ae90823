"""The page: a checkpoint, the engine and the widget's front end as static files, without a kernel (docs/page.md).

`aiw.page.to_html(session.record, "talk.html")` writes a record with its model, which can be run on offline.
"""

from .hand_out import to_html

__all__ = ["to_html"]
