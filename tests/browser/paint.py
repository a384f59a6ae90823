"""From captured to painted, in real JupyterLab: what everything but the model takes of a chunk's time.

python -m tests.browser.paint [SECONDS]

Records a fake microphone for so long and prints median, 95th percentile and worst of (chunk painted − its last sample
captured − the model's own time), over the chunks whose every part is known.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from . import sounds
from .lab import running_lab
from .windows import Windows

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw.model and None\nw"
SECONDS = 60


def measure(seconds: int) -> dict[str, Any]:
    """Measure the figures in ms of a recording of some seconds; the model is loaded before it begins."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        notebooks = root / "notebooks"
        notebooks.mkdir()
        with running_lab(root / "jupyter", notebooks) as lab:
            microphone = sounds.microphone_file(root, sounds.rain(seconds + 5.0))
            windows = Windows(lab, playwright, root)
            window = windows.window(microphone, allow=True, deny=False, device=True, host=None)
            notebook = windows.open(window, "paint.ipynb", [WIDGET], own=True, script="")
            notebook.run_cell(0)
            expect(notebook.widget.first).to_have_attribute("data-line", "ready")
            notebook.record()
            notebook.wait_count("decisions", round(seconds / 0.4), seconds + 120)
            figures: dict[str, Any] = json.loads(notebook.widget.first.get_attribute("data-overhead") or "{}")
            notebook.stop()
            windows.close()
    return figures


def main() -> None:
    """Print one line of figures."""
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    if not figures:
        sys.exit("No chunk told all parts of its way; is the page in sight?")
    print(
        f"captured → painted minus the model's time, {figures['count']:.0f} chunks: median {figures['p50']:.0f} ms, "
        f"p95 {figures['p95']:.0f} ms, worst {figures['worst']:.0f} ms"
    )
    for part, spread in figures["parts"].items():
        print(f"  {part:<10}" + "  ".join(f"{name} {value:6.1f}" for name, value in spread.items()))


if __name__ == "__main__":
    main()
