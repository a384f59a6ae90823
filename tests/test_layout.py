"""The layout of the package: a room imports only rooms below it, and folders and files are short enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ai_widgets

PACKAGE = Path(ai_widgets.__file__).parent
ROOMS = (
    *("server_extension", "errors", "process_exit", "special_tokens", "protocol", "setting_schema", "settings"),
    *("audio", "model", "transformers", "record", "session", "inference", "policies", "analysis", "page"),
    *("widget", "training", "cluster", "evaluation", "teaching", "serve", "cli"),
)
"""From the bottom up. A room may import itself and every room before it: in functions and for types too."""
WIDGET_ROOMS = ("wire", "live_settings", "remote", "loading", "stages", "files")
"""The same inside `widget/`, whose other modules are above these."""
LONG_FILES: dict[str, tuple[int, str]] = {}
"""Files of more than `MAX_LINES`: the most lines that each may have, and the reason. The list only shrinks."""
MAX_LINES = 350


def imported(path: Path, source: str) -> Iterator[tuple[str, ...]]:
    """Names inside the package that a file imports, as their parts: ("session", "turns", "TurnTaking")."""
    here = ("ai_widgets", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            names = [(*base, *module, alias.name) for alias in node.names]
        else:
            continue
        yield from (name[1:] for name in names if name[0] == "ai_widgets")


def upward(path: Path, source: str) -> list[str]:
    """What a file imports from above its own place."""
    place = path.relative_to(PACKAGE).with_suffix("").parts
    found = []
    for name in imported(path, source):
        above = name[0] in ROOMS[ROOMS.index(place[0]) + 1 :]
        if place[0] == name[0] == "widget" and place[1] in WIDGET_ROOMS:
            above = name[1] not in WIDGET_ROOMS[: WIDGET_ROOMS.index(place[1]) + 1]
        if above:
            found.append(".".join(name))
    return found


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_a_room_imports_only_rooms_below_it(name: str) -> None:
    assert upward(FILES[name], FILES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("record/record.py", "from ..session.session import StreamingSession"),
        ("record/record.py", "def later():\n    import ai_widgets.session.loop"),
        ("session/loop.py", "from ai_widgets import widget"),
        ("widget/wire/outbox.py", "from ..pipeline import Pipeline"),
        ("widget/stages/gate.py", "from .. import channel"),
    ],
)
def test_an_import_from_above_is_found(name: str, source: str) -> None:
    assert len(upward(FILES[name], source)) == 1


def test_every_room_has_its_place_in_the_order() -> None:
    there = {Path(name).with_suffix("").parts[0] for name in FILES} - {"__init__", "notebooks", "tiny"}
    assert there <= set(ROOMS)


@pytest.mark.parametrize(("folder", "most"), [(".", 9), ("widget", 15)])
def test_a_folder_can_be_read_in_one_glance(folder: str, most: int) -> None:
    assert len(list((PACKAGE / folder).glob("*.py"))) <= most


FRONT_END = PACKAGE.parent / "js" / "src"
GENERATED = ("channel/messages.ts", "record/events.ts")
SOURCES = [path for path in sorted(FRONT_END.rglob("*.ts*")) if path.relative_to(FRONT_END).as_posix() not in GENERATED]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(FRONT_END).as_posix())
def test_a_file_of_the_front_end_has_at_most_350_lines(path: Path) -> None:
    assert lines(path) <= MAX_LINES


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_one_duty_and_at_most_350_lines(name: str) -> None:
    most, _ = LONG_FILES.get(name, (MAX_LINES, ""))
    assert lines(FILES[name]) <= most


@pytest.mark.parametrize("name", LONG_FILES)
def test_a_long_file_that_became_short_leaves_the_list(name: str) -> None:
    assert lines(FILES[name]) > MAX_LINES
