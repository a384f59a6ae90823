"""The built front end: JavaScript and style sheet, as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import AiWidgetsError

STATIC = Path(__file__).parent / "static"
BUNDLE, STYLE = STATIC / "widget.js", STATIC / "widget.css"


def check_built() -> None:
    """Check that the front end is built.

    Raises
    ------
    AiWidgetsError
        If it is not, as in a clone before `make setup`.
    """
    if not BUNDLE.exists():
        raise AiWidgetsError(
            "The widget's front end is not built; run `make setup` in a clone, or install a released wheel."
        )


@cache
def text_of(path: Path) -> str:
    """Return the text of a file of the front end, which is read once per process."""
    return path.read_text(encoding="utf-8")
