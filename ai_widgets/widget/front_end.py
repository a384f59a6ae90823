"""The built front end: JavaScript and style sheet, as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import AiWidgetsError

STATIC = Path(__file__).parent / "static"
BUNDLE, STYLE = STATIC / "widget.js", STATIC / "widget.css"


def check_built() -> None:
    """Refuse to go on where the front end was never built.

    Raises
    ------
    AiWidgetsError
        A clone without its build step.
    """
    if not BUNDLE.exists():
        raise AiWidgetsError(
            "The widget's front end is not built; run `make setup` in a clone, or install a released wheel."
        )


@cache
def text_of(path: Path) -> str:
    """Text of a file of the front end, read once a process."""
    return path.read_text(encoding="utf-8")
