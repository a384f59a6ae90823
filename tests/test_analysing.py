"""Analyses that a page asks for: beside the decode thread, with progress and cancel, and shown in exported pages."""

from __future__ import annotations

import json
import re
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest

from ai_widgets import analysis, policies
from ai_widgets.errors import MessageError
from ai_widgets.record.html import html_page
from ai_widgets.session import replay
from ai_widgets.widget.recordings import analysing
from ai_widgets.widget.wire.limits import MAX_SEEDS
from ai_widgets.widget.wire.parsing import parse
from tests.page import Build, Page, settled
from tests.signals import babble
from tests.test_widget_recordings import ask as ask_for_file
from tests.test_widget_recordings import fetch, until


@pytest.fixture
def heard(page: Page) -> Page:
    """A page whose widget has heard something."""
    page.record(babble(3))
    settled(page)
    return page


def ask(page: Page, what: str, action: str = "start", **fields: Any) -> None:
    page.send({"type": "analyse", "what": what, "action": action, "page": page.name, **fields})


def result(page: Page, what: str, state: str = "done") -> dict[str, Any]:
    return until(page, "analysed", what=what, state=state)


class TestAnAnalysis:
    def test_gives_the_numbers_of_python(self, heard: Page) -> None:
        model, record = heard.widget.model, heard.widget.record
        ask(heard, "onset", settings={"temperature": 2.0})
        told = result(heard, "onset")["onset"]
        curve = analysis.onset(record, model, temperature=2.0)
        np.testing.assert_allclose(told["hazard"], curve.hazard, atol=1e-12)
        assert told["settings"] == {"temperature": 2.0}
        ask(heard, "seeds", count=3)
        told = result(heard, "seeds")["seeds"]
        assert told == analysis.seeds(model, record, 3).to_json()

    def test_a_page_that_comes_later_is_told_the_results(self, heard: Page) -> None:
        ask(heard, "onset")
        first = result(heard, "onset")
        before = len(heard.of("analysed"))
        heard.hello()
        heard.until(lambda: len(heard.of("analysed")) > before)
        assert heard.of("analysed")[before:] == [first]

    def test_is_cancelled_at_the_next_step(self, heard: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, go_on, rerun = Flag(), Flag(), replay.rerun

        def held(*given: Any, **changed: Any) -> Any:
            begun.set()
            assert go_on.wait(60)
            return rerun(*given, **changed)

        monkeypatch.setattr(replay, "rerun", held)
        ask(heard, "seeds")
        assert begun.wait(60)
        assert result(heard, "seeds", "running")["total"] == 20 * heard.widget.record.chunks_heard
        # A second one meanwhile is refused, with a sentence.
        ask(heard, "onset")
        assert "replaying or analysing" in result(heard, "onset", "failed")["message"]
        ask(heard, "seeds", "cancel")
        go_on.set()
        assert result(heard, "seeds", "cancelled")["message"] == "The analysis was cancelled."

    def test_is_forgotten_when_the_record_grows(self, heard: Page) -> None:
        ask(heard, "onset")
        result(heard, "onset")
        heard.record(babble(1))
        assert result(heard, "onset", "none")["onset"] is None

    @pytest.mark.parametrize(
        ("settings", "sentence"), [({"seed": 3}, "cannot be computed"), ({"temperature": 0}, "temperature must be")]
    )
    def test_of_a_setting_that_is_none_is_refused(self, heard: Page, settings: dict[str, Any], sentence: str) -> None:
        ask(heard, "seeds", settings=settings)
        assert sentence in result(heard, "seeds", "failed")["message"]

    def test_of_a_long_record_names_the_way_in_python(self, heard: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(analysing, "MAX_ANALYSED_CHUNKS", 3)
        ask(heard, "onset")
        assert "In Python, analysis.onset takes longer ones." in result(heard, "onset", "failed")["message"]

    def test_of_a_policy_is_refused(self, build: Build) -> None:
        page = build(policies.Energy())
        page.hello()
        page.record(babble(1))
        settled(page)
        ask(page, "onset")
        assert "A policy has neither probabilities nor seeds" in result(page, "onset", "failed")["message"]

    def test_that_fails_is_told_and_the_session_goes_on(self, heard: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("no such number")

        monkeypatch.setattr(analysis, "onset", failing)
        ask(heard, "onset")
        assert "no such number" in result(heard, "onset", "failed")["message"]
        heard.record(babble(1))
        settled(heard)

    @pytest.mark.parametrize("fields", [{"what": "mood"}, {"count": 0}, {"count": MAX_SEEDS + 1}, {"settings": 3}])
    def test_a_message_that_is_none_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(MessageError):
            parse({"type": "analyse", "what": "onset", "action": "start", **fields})


def analyses_in(document: str) -> dict[str, Any]:
    found = re.search(r'id="aiw-header">(.*?)</script>', document)
    assert found is not None
    analyses: dict[str, Any] = json.loads(found[1])["analyses"]
    return analyses


class TestAnExportedPage:
    def test_has_the_analyses_that_it_is_given(self, heard: Page) -> None:
        model, record = heard.widget.model, heard.widget.record
        raster = analysis.seeds(model, record, 2)
        assert analyses_in(str(record.to_html(analyses=[raster]))) == {"seeds": raster.to_json()}
        assert analyses_in(str(html_page(record, audio=False))) == {}

    def test_that_is_saved_from_a_page_has_those_of_the_widget(self, heard: Page) -> None:
        ask(heard, "onset")
        curve = result(heard, "onset")["onset"]
        document = fetch(heard, ask_for_file(heard, form="html")).decode("utf-8")
        assert analyses_in(document) == {"onset": curve}
