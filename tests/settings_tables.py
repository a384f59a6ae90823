"""The README's tables of settings, rendered from their schema.

python -m tests.settings_tables        writes them into README.md
"""

from __future__ import annotations

import json
from pathlib import Path

from ai_widgets.setting_schema import Declared
from ai_widgets.settings import Settings
from ai_widgets.widget.live_settings import LiveSettings, described

README = Path(__file__).parents[1] / "README.md"
FIXTURE = Path(__file__).parents[1] / "js" / "test" / "settings-schema.json"
TABLES: dict[str, type[Declared]] = {"session settings": Settings, "widget settings": LiveSettings}


def table(of: type[Declared]) -> str:
    """Return the Markdown table of a settings class: one row for each setting."""
    rows = ["| setting | default | allowed | |", "|---|---|---|---|"]
    for each in of.schema:
        default = each.standard if each.default is None else f"`{each.standard}`"
        meaning = " ".join(filter(None, (each.help, each.more)))
        rows.append(f"| `{each.name}` | {default} | {each.allowed} | {meaning} |")
    return "\n".join(rows)


def filled(text: str) -> str:
    """Return a Markdown text with each table between its two markers."""
    for name, of in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + table(of) + end + rest.split(end)[1]
    return text


def fixture() -> str:
    """Return the schema as the page is told it."""
    return json.dumps(described(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    FIXTURE.write_text(fixture(), encoding="utf-8")
