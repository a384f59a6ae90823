"""A Python process that ends while a model loads or computes ends cleanly: exit code 0 and nothing on stderr.

Each script is a person's whole program. `RUNS` in a row are affordable here; fifty are run by hand with
``AI_WIDGETS_RUNS=50``.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

RUNS = int(os.environ.get("AI_WIDGETS_RUNS", "3"))
START = (
    "import numpy as np\nimport ai_widgets as aiw\nx = np.random.default_rng(0).normal(0, .1, 160_000).astype('f4')\n"
)
PROGRAMS = {
    "a model is there and another one loads": "m = aiw.load_model('tiny')\nw = aiw.AudioInteraction()\n",
    "a widget imports torch": "w = aiw.AudioInteraction()\n",
    "a widget computes": "w = aiw.AudioInteraction()\nw.feed(x, 16000, wait=False)\n",
    "a widget replies": (
        "w = aiw.AudioInteraction(bias=900, max_reply_tokens=None)\nw.model\nw.feed(x, 16000, wait=False)\n"
        "import time\nwhile not len(w.record): time.sleep(0.001)\n"
    ),
    "a widget is paused at its gate": "w = aiw.AudioInteraction()\nw.pause()\nw.feed(x, 16000, wait=False)\nw.model\n",
    "a widget was closed while it loads": "m = aiw.load_model('tiny')\nw = aiw.AudioInteraction()\nw.close()\n",
    "an exception ends the program": (
        "w = aiw.AudioInteraction()\nw.feed(x, 16000, wait=False)\nraise SystemExit(0)\n"
    ),
    "a session in a thread": (
        "import threading\nm = aiw.load_model('tiny')\ns = m.session()\n"
        "threading.Thread(target=lambda: list(s.push(x))).start()\n"
    ),
    "a session in a daemon thread": (
        "import threading, time\nm = aiw.load_model('tiny')\ns = m.session(bias=900)\n"
        "def run():\n    while True: list(s.push(x))\n"
        "threading.Thread(target=run, daemon=True).start()\ntime.sleep(0.3)\n"
    ),
    "a load in a daemon thread": (
        "import threading\naiw.load_model('tiny')\n"
        "def run():\n    while True: aiw.load_model('tiny')\n"
        "threading.Thread(target=run, daemon=True).start()\n"
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_ends_with_exit_code_0(program: str) -> None:
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-c", START + PROGRAMS[program]], capture_output=True, text=True, check=False, timeout=120
        )
        assert (done.returncode, done.stderr) == (0, "")
