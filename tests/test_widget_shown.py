"""What a notebook shows and keeps of a widget: short text, and a transcript that stands alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from ai_widgets.inference import Model
from ai_widgets.protocol import Turn
from ai_widgets.record import SessionRecord
from ai_widgets.widget import showing
from ai_widgets.widget.showing import HTML_REPLIES, MOST_TEXT, html_of, text_of
from tests.page import Build, Page, silence
from tests.scripted import scripted, spell

VIEW = "application/vnd.jupyter.widget-view+json"
HOSTILE = '<script>alert(1)</script><img src=x onerror="x">&amp;\u202eabc'


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


def turn(number: int, text: str, ended: Any = "TEXT_END") -> Turn:
    return Turn(number, number, 0, number * 0.4, None, text, (), ended)


def record_of(*turns: Turn) -> SessionRecord:
    record = SessionRecord()
    for each in turns:
        record.append(each)
    return record


@pytest.fixture
def replying(build: Build, toy: Model) -> Page:
    model, _ = scripted(toy.loaded, ".T.T", [spell("hello"), spell("<b>you")])
    return build(Model(model))


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

    def test_the_newest_replies_follow(self) -> None:
        text = text_of("head", record_of(*(turn(number, f"reply {number}") for number in range(5))))
        assert text.splitlines()[0] == "head"
        assert "2 earlier" in text
        assert [line.split("  ")[-1] for line in text.splitlines()[2:]] == ["reply 2", "reply 3", "reply 4"]


class TestHtml:
    def test_it_stands_alone(self) -> None:
        html = html_of("head", record_of(turn(0, "hello")), "name")
        seen = Texts(html)
        assert seen.tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
        assert seen.attributes <= {"class", "style", "dir", "scope"}
        assert not re.search(r"https?:|url\(|color", html)

    def test_model_text_is_text(self) -> None:
        seen = Texts(html_of(HOSTILE, record_of(turn(0, HOSTILE))))
        assert seen.cells[2] == HOSTILE
        assert not {"script", "img"} & seen.tags

    def test_a_reply_that_was_cut_says_so(self) -> None:
        assert "hello [interrupted]" in html_of("head", record_of(turn(0, "hello", "interrupted")))

    def test_it_is_bounded(self) -> None:
        turns = [turn(number, "x" * 10_000) for number in range(HTML_REPLIES + 5)]
        html = html_of("head", record_of(*turns))
        assert html.count("<tr>") == HTML_REPLIES + 1
        assert "5 earlier replies" in html
        assert len(html) < HTML_REPLIES * (MOST_TEXT + 200)


class TestBundle:
    def test_the_view_and_what_stands_in_for_it(self, replying: Page) -> None:
        widget = replying.widget
        widget.feed(silence(4), 16_000)
        data, _ = widget._repr_mimebundle_()
        assert data[VIEW]["model_id"] == widget.model_id
        assert Texts(data["text/html"]).cells == ["0.4", "", "hello", "1.2", "", "<b>you"]
        assert "hello" in data["text/plain"]
        assert "stopped; 1.6 s heard, 4 decisions, 2 replies" in data["text/html"]

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
        assert Texts(data["text/html"]).cells[2::3] == ["hello", "<b>you"]
        widget.reset()
        assert Texts(outputs[3][0]["text/html"]).cells == []
        widget.close()
        assert "closed" in outputs[4][0]["text/html"]
        assert all(VIEW not in data for data, _, _ in outputs[1:])

    def test_a_recording_that_goes_on_does_not_change_the_notebook(
        self, replying: Page, outputs: list[tuple[dict[str, Any], str, bool]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ai_widgets.widget.keeping.INTERVAL", 0.0)
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
