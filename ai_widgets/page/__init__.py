"""The page: a checkpoint, the engine and the widget's front end as static files, without a kernel (docs/page.md).

aiw.page.to_html(session.record, "talk.html")    # a record with its model, which can be run on offline
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hand_out import to_html

__all__ = ["to_html"]


def __getattr__(name: str) -> Any:
    # Loaded when it is used: it needs torch.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .hand_out import to_html

    return to_html
