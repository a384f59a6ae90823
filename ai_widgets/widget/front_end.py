"""The built front end: JavaScript and style sheet, as text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from ..errors import AiWidgetsError

STATIC = Path(__file__).parent / "static"
Engine = Literal["kernel", "page"]
"""Where the session of a widget runs."""
FRONT_ENDS: Mapping[Engine, tuple[Path, Path]] = {
    "kernel": (STATIC / "widget.js", STATIC / "widget.css"),
    "page": (STATIC / "page_widget.js", STATIC / "widget.css"),
}
"""JavaScript and style sheet of a widget, by where its session runs."""


def check_built(engine: Engine = "kernel") -> tuple[Path, Path]:
    """Check that the front end is built, and return its script and style sheet.

    Raises
    ------
    AiWidgetsError
        If it is not, as in a clone before `make setup`.
    """
    if not all(path.exists() for path in FRONT_ENDS[engine]):
        raise AiWidgetsError(
            "The widget's front end is not built; run `make setup` in a clone, or install a released wheel."
        )
    return FRONT_ENDS[engine]


@cache
def text_of(path: Path) -> str:
    """Return the text of a file of the front end, which is read once per process."""
    return path.read_text(encoding="utf-8")
