"""docs/faults.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests/[\w/]+\.py|js/test/[\w-]+\.test\.tsx?)(?:::\w+)*)`", TABLE)))


def test_every_row_names_a_test() -> None:
    rows = [
        line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| fault", "| policy"))
    ]
    assert len(rows) > 40
    assert [row for row in rows if "`tests/" not in row and "`js/test/" not in row] == []


@pytest.mark.parametrize("name", NAMED)
def test_named_tests_exist(name: str) -> None:
    path, *parts = name.split("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    for part in parts:
        assert re.search(rf"^\s*(def|class) {part}\b", source, re.MULTILINE), name
