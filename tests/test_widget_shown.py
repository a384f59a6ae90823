"""What a notebook shows and keeps of a widget: short text, and a transcript that stands alone."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from ai_widgets.inference import Model
from ai_widgets.widget import representations as showing
from tests.page import Build, Page, silence
from tests.scripted import scripted, spell

PICTURE = {"img"}
PICTURE_ATTRIBUTES = {"alt", "width", "src"}
VIEW = "application/vnd.jupyter.widget-view+json"


class Texts(HTMLParser):
    """Cells of the table, and every tag and attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


@pytest.fixture
def replying(build: Build, toy: Model) -> Page:
    model, _ = scripted(toy, ".T.T", [spell("hello"), spell("<b>you")])
    return build(model)


class TestText:
    def test_a_repr_is_one_short_line(self, replying: Page) -> None:
        widget = replying.widget
        name = widget.model_info["name"]
        assert repr(widget) == f"<AudioInteraction {name}: idle; 0.0 s heard, 0 decisions, 0 replies>"
        widget.feed(silence(4), 16_000)
        assert repr(widget) == f"<AudioInteraction {name}: stopped; 1.6 s heard, 4 decisions, 2 replies>"
        widget.close()
        assert "closed; 1.6 s heard" in repr(widget)

    def test_a_model_that_failed_is_said(self, build: Build) -> None:
        assert "model failed" in repr(build("./no/such/folder").widget)

    def test_of_a_widget_that_was_refused(self) -> None:
        from ai_widgets.widget.app import AudioInteraction

        assert "AudioInteraction" in repr(AudioInteraction.__new__(AudioInteraction))


class TestBundle:
    def test_the_view_and_what_stands_in_for_it(self, replying: Page) -> None:
        widget = replying.widget
        widget.feed(silence(4), 16_000)
        data, _ = widget._repr_mimebundle_()
        assert data[VIEW]["model_id"] == widget.model_id
        html, viewer, _ = data["text/html"].partition("<details>")
        assert viewer
        seen = Texts(html)
        assert seen.cells == ["0:00.8", "hello", "", "", "0:01.6", "<b>you", "", ""]
        assert seen.tags <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", *PICTURE}
        assert seen.attributes <= {"class", "style", "dir", "scope", *PICTURE_ATTRIBUTES}
        for each in ("stopped", "1.6 s heard, 4 decisions, 2 replies", "hello"):
            assert each in data["text/plain"]
            assert each in data["text/html"]

    def test_a_closed_widget_has_no_view_but_its_transcript(self, replying: Page) -> None:
        widget = replying.widget
        widget.feed(silence(4), 16_000)
        widget.close()
        data, _ = widget._repr_mimebundle_()
        assert set(data) == {"text/plain", "text/html"}
        assert "hello" in data["text/html"]
        assert "closed" in data["text/html"]


class TestOutputs:
    """In a kernel a display makes two outputs: the view, and the transcript that is brought up to date."""

    @pytest.fixture
    def outputs(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], str, bool]]:
        published: list[tuple[dict[str, Any], str, bool]] = []

        def publish(data: dict[str, Any], metadata: Any = None, display_id: str = "", update: bool = False) -> None:
            published.append((data, display_id, update))

        monkeypatch.setattr(showing, "publish", publish)
        monkeypatch.setattr(showing, "in_notebook", lambda: True)
        return published

    def test_the_transcript_is_brought_up_to_date_and_the_view_is_not_touched(
        self, replying: Page, outputs: list[tuple[dict[str, Any], str, bool]]
    ) -> None:
        widget = replying.widget
        widget._ipython_display_()
        (view, view_id, _), (saved, saved_id, updated) = outputs
        assert set(view) == {"text/plain", VIEW}
        assert view_id == ""
        assert set(saved) == {"text/plain", "text/html"}
        assert (saved_id, updated) == (widget.transcript, False)
        assert f'class="{widget.transcript}"' in saved["text/html"]
        widget.feed(silence(4), 16_000, end=True)
        replying.until(lambda: len(outputs) == 3)
        data, which, updated = outputs[2]
        assert (which, updated) == (saved_id, True)
        assert Texts(data["text/html"]).cells[1::4] == ["hello", "<b>you"]
        widget.reset()
        assert Texts(outputs[3][0]["text/html"]).cells == []
        widget.close()
        assert "closed" in outputs[4][0]["text/html"]
        assert all(VIEW not in data for data, _, _ in outputs[1:])

    def test_the_text_in_place_of_the_view_names_the_model_whole(
        self, build: Build, outputs: list[tuple[dict[str, Any], str, bool]]
    ) -> None:
        build("./no: such").widget._ipython_display_()
        expected = "AudioInteraction ./no: such: run this cell to use it; its transcript follows."
        assert outputs[0][0]["text/plain"] == expected

    def test_a_recording_that_goes_on_does_not_change_the_notebook(
        self, replying: Page, outputs: list[tuple[dict[str, Any], str, bool]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ai_widgets.widget.history_writer.INTERVAL", 0.0)
        replying.widget._ipython_display_()
        replying.open()
        replying.block(silence(3))
        assert replying.widget.wait()
        assert len(replying.widget.history) > 0
        assert len(outputs) == 2

    def test_what_was_not_displayed_is_not_updated(
        self, replying: Page, outputs: list[tuple[dict[str, Any], str, bool]]
    ) -> None:
        replying.widget.feed(silence(4), 16_000, end=True)
        replying.widget.close()
        assert outputs == []

    def test_a_terminal_gets_one_text(
        self, replying: Page, outputs: list[tuple[dict[str, Any], str, bool]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(showing, "in_notebook", lambda: False)
        replying.widget._ipython_display_()
        assert len(outputs) == 1
        assert "0 replies" in outputs[0][0]["text/plain"]
