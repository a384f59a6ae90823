"""A learner's notebook: a kernel without torch, and the model on a class server."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

import ai_widgets as aiw
from tests.class_server import class_of
from tests.without_torch import NO_TORCH

from .conftest import OpenNotebook

IMPORTED = "sorted({n.split('.')[0] for n in sys.modules} & {'torch', 'transformers', 'safetensors', 'tokenizers'})"


def test_a_kernel_without_torch_records_shows_and_saves_a_session(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    pytest.importorskip("websockets")
    tiny = aiw.load_model("tiny")
    file = tmp_path / "learned.aiw"
    with class_of(tiny, 1) as served:
        given = f"{served.address!r}, token={served.token()!r}, greedy=True"
        widget = f"import ai_widgets as aiw\nw = aiw.AudioInteraction({given})\nw"
        notebook = open_notebook([NO_TORCH, widget, f"w.record.save({str(file)!r})"], own=True)
        notebook.run_cell(0)
        notebook.run_cell(1)
        notebook.record()
        notebook.wait_count("turns", 1)
        notebook.stop()
        assert notebook.ask("w.wait(30)")
        shown = notebook.ask("w.record.turns['text'].tolist()")
        for text in shown:
            expect(notebook.widget.first).to_contain_text(text)
        notebook.shot("class-server")
        notebook.run_cell(2)
        assert notebook.ask(IMPORTED) == []
        assert notebook.ask("w.error is None")
        assert notebook.errors() == []
    record = aiw.SessionRecord.load(file)
    assert record.turns["text"].tolist() == shown
    assert len(record.audio) == 6_400 * len(record.decisions)
    assert record.header.model["server"] == served.address.removeprefix("ws://").removesuffix("/session")
    assert record.replay(tiny).reproduced
