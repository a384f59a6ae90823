"""axe-core in a page: what it finds wrong with a widget's accessibility."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")


def grave_findings(page: Page, within: str = "[data-testid=aiw]") -> list[str]:
    """Serious and critical findings within the widget, one line each: rule, element, and what is wrong."""
    if not page.evaluate("typeof axe === 'object'"):
        # JupyterLab's module loader would take it for a module of its own.
        source = SOURCE.read_text(encoding="utf-8")
        page.evaluate(f"(() => {{ const define = undefined, module = undefined, exports = undefined; {source} }})()")
    result: dict[str, Any] = page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]}: {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
