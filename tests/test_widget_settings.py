"""Settings from Python and from the page: checked, applied live, synced, told; and what pages may not do."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import ReadOnlyError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision, Notice
from ai_widgets.widget.app import AudioInteraction
from tests.page import PATIENCE, Build, Page, settled, silence
from tests.signals import babble


def changes(page: Page) -> list[Any]:
    notices = [event for event in page.widget.record.of_type(Notice) if event.kind == "settings"]
    return [dict(notice.data["changed"]) for notice in notices]


class TestChange:
    def test_from_python_and_from_the_page(self, page: Page) -> None:
        page.widget.feed(silence(1), 16_000)
        page.widget.set(temperature=0.5, arrival="drop")
        page.send({"type": "set", "changes": {"bias": 2.5, "overload": "pause"}})
        page.widget.feed(silence(1), 16_000)
        settings, live = page.widget.settings, page.widget.live
        assert (settings["temperature"], settings["bias"]) == (0.5, 2.5)
        assert (live["arrival"], live["overload"]) == ("drop", "pause")
        told: dict[str, Any] = {}
        for change in changes(page):
            told |= change
        assert told == {"temperature": 0.5, "bias": 2.5, "arrival": "drop", "overload": "pause"}
        before, after = page.widget.record.of_type(Decision)
        assert (before.rule["temperature"], after.rule["temperature"], after.rule["bias"]) != (0.5, 0.5, 2.5)
        assert (after.rule["temperature"], after.rule["bias"]) == (0.5, 2.5)

    def test_what_is_assigned_changes_what_it_names(self, page: Page) -> None:
        page.widget.settings = {"temperature": 0.7}
        page.widget.live = {"overload_chunks": 7}
        assert (page.widget.settings["temperature"], page.widget.settings["seed"]) == (0.7, 3)
        assert (page.widget.live["overload_chunks"], page.widget.live["arrival"]) == (7, "keep")
        page.widget.feed(silence(1), 16_000)
        assert page.widget.record.of_type(Decision)[0].rule["temperature"] == 0.7

    def test_the_view_is_told_to_pages_and_is_no_part_of_the_record(self, build: Build) -> None:
        page = build(view="teach")
        assert page.widget.live["view"] == "teach"
        page.widget.feed(silence(1), 16_000)
        page.widget.set(view="show", arrival="drop")
        page.widget.feed(silence(1), 16_000)
        assert page.widget.live["view"] == "show"
        assert changes(page) == [{"arrival": "drop"}]

    def test_in_the_constructor(self, build: Build) -> None:
        widget = build(bias=1.0, arrival="interrupt").widget
        assert (widget.settings["bias"], widget.live["arrival"]) == (1.0, "interrupt")

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"temperature": -1}, "temperature must be a number above 0"),
            ({"arrival": "never"}, "arrival must be one of keep, drop, interrupt"),
            ({"view": "cinema"}, "view must be one of show, explore, teach"),
            ({"tempreture": 1}, "did you mean temperature"),
            ({"bias": 1.0, "overload": "explode"}, "overload must be one of"),
            ({"context_limit": 3}, "too short"),
            ({"temperature": 10**400}, "temperature must be a number above 0"),
        ],
    )
    def test_bad_ones_change_nothing(self, page: Page, given: dict[str, Any], words: str) -> None:
        before = (page.widget.settings, page.widget.live)
        with pytest.raises(SettingError, match=words):
            page.widget.set(**given)
        page.send({"type": "set", "changes": given})
        problem = page.of("problem")[-1]
        assert problem["code"] == "setting"
        assert words in problem["message"]
        assert (page.widget.settings, page.widget.live) == before

    def test_bad_assignments(self, page: Page) -> None:
        for name, value, words in (
            ("settings", {"seed": -1}, "seed must be"),
            ("settings", {"arrival": "keep"}, "belongs to `live`"),
            ("live", {"seed": 1}, "belongs to `settings`"),
            ("live", {"nothing": 1}, "no setting 'nothing'"),
        ):
            with pytest.raises(SettingError, match=words):
                setattr(page.widget, name, value)

    def test_the_prefix_of_another_prompt_is_told(self, page: Page) -> None:
        before = page.widget.model_info["prefix"]
        page.widget.set(system_prompt="Be brief.")
        assert page.widget.model_info["prefix"] != before
        assert page.of("model")[-1]["prefix"] == page.widget.model_info["prefix"]

    def test_pages_only_read_what_the_kernel_owns(self, page: Page) -> None:
        before = page.widget.get_state(["state", "settings", "live", "loop", "counters", "model_info"])
        for name in before:
            page.comm.handle_msg(
                {"content": {"data": {"method": "update", "state": {name: {"x": 1}}, "buffer_paths": []}}}
            )
        assert page.widget.get_state(list(before)) == before


class TestWrongWays:
    """What would change nothing is refused, with the call that does."""

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("bias", 1, r"call w\.set\(bias=1\)"),
            ("overload", "pause", r"call w\.set\(overload='pause'\)"),
            ("temprature", 0.5, r"for the setting temperature call w\.set\(temperature=0\.5\)"),
            ("setings", {}, "did you mean settings"),
            ("threshold", 0.5, r"settings are changed with w\.set\("),
            ("system_prompt", "x" * 900, r"call w\.set\(system_prompt=…\)"),
        ],
    )
    def test_attributes(self, page: Page, name: str, value: Any, words: str) -> None:
        with pytest.raises(ReadOnlyError, match=words):
            setattr(page.widget, name, value)
        assert name not in vars(page.widget)

    def test_a_derived_class_has_attributes_of_its_own(self, toy: Model, build: Build) -> None:
        class Mine(AudioInteraction):
            pass

        build()  # has the comms of tests
        widget = Mine(toy)
        widget.place = "kitchen"
        with pytest.raises(ReadOnlyError, match=r"w\.set\(bias=1\)"):
            widget.bias = 1
        widget.close()

    @pytest.mark.parametrize("name", ["record", "model", "error", "waiting"])
    def test_what_is_computed(self, page: Page, name: str) -> None:
        with pytest.raises(AttributeError, match=name):
            setattr(page.widget, name, None)

    @pytest.mark.parametrize(
        ("name", "change", "words"),
        [
            ("settings", lambda d: d.__setitem__("bias", 2), r"call w\.set\(bias=2\)"),
            ("settings", lambda d: d.update(bias=2), r"w\.set\(name=value\)"),
            ("settings", lambda d: d.pop("bias"), r"w\.set\(name=value\)"),
            ("settings", lambda d: d.clear(), r"w\.set\(name=value\)"),
            ("settings", lambda d: d.setdefault("x", 1), r"w\.set\(name=value\)"),
            ("settings", lambda d: d.__delitem__("bias"), r"w\.set\(name=value\)"),
            ("settings", lambda d: d.__ior__({"bias": 2}), r"w\.set\(name=value\)"),
            ("live", lambda d: d.__setitem__("arrival", "drop"), r"call w\.set\(arrival='drop'\)"),
            ("loop", lambda d: d.__setitem__("mode", "pause"), r"w\.pause\(\)"),
            ("counters", lambda d: d.__setitem__("waiting", 0), "read-only"),
            ("model_info", lambda d: d.__setitem__("name", "x"), "another widget"),
            ("history", lambda d: d.clear(), r"w\.reset\(\)"),
        ],
    )
    def test_items(self, page: Page, name: str, change: Any, words: str) -> None:
        page.widget.feed(silence(1), 16_000, end=True)
        shown = getattr(page.widget, name)
        before = json.dumps(shown)
        with pytest.raises(ReadOnlyError, match=words):
            change(shown)
        assert json.dumps(getattr(page.widget, name)) == before

    def test_copies_are_plain_dicts(self, page: Page) -> None:
        shown = page.widget.settings
        for each in (
            dict(shown),
            shown.copy(),
            copy.copy(shown),
            copy.deepcopy(shown),
            pickle.loads(pickle.dumps(shown)),  # noqa: S301 - our own bytes
        ):
            assert type(each) is dict
            assert each == shown
        page.widget.settings = shown | {"bias": 2.0}
        assert page.widget.settings["bias"] == 2.0


class TestTwoThreads:
    """Every change holds, whatever other threads change meanwhile."""

    @pytest.fixture(autouse=True)
    def switching(self) -> Iterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        yield
        sys.setswitchinterval(before)

    def change_together(self, *threads: Callable[[], object]) -> None:
        start = threading.Barrier(len(threads))

        def begin(change: Callable[[], object]) -> None:
            start.wait(PATIENCE)
            change()

        running = [threading.Thread(target=begin, args=(each,)) for each in threads]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(PATIENCE)

    def test_300_pairs(self, page: Page) -> None:
        widget = page.widget
        lost = []
        for number in range(1, 301):
            self.change_together(
                lambda bias=number / 8: widget.set(bias=bias), lambda top_k=number: widget.set(top_k=top_k)
            )
            if (widget.settings["bias"], widget.settings["top_k"]) != (number / 8, number):
                lost.append(number)
        assert lost == []
        assert widget.settings == widget._channel.presenter.pipeline.settings.to_json()

    def test_every_way_to_set_at_once(self, page: Page) -> None:
        widget = page.widget

        def assign(value: int) -> None:
            widget.settings = {"alternatives": value}

        for number in range(1, 41):
            page_sets = {"type": "set", "changes": {"bias": number / 8, "overload_chunks": number}}
            self.change_together(
                lambda number=number: widget.set(top_k=number, arrival="drop" if number % 2 else "keep"),
                lambda number=number: assign(number),
                lambda number=number: setattr(widget, "live", {"reading": "listen" if number % 2 else "mute"}),
                lambda page_sets=page_sets: page.send(page_sets),
                lambda number=number: widget.set(seed=number),
            )
            told = {name: widget.settings[name] for name in ("top_k", "alternatives", "bias", "seed")}
            assert told == {"top_k": number, "alternatives": number, "bias": number / 8, "seed": number}
            odd = number % 2 == 1
            assert (widget.live["arrival"], widget.live["reading"]) == (("drop", "listen") if odd else ("keep", "mute"))
            assert widget.live["overload_chunks"] == number
        widget.feed(silence(1), 16_000)
        assert widget.record.of_type(Decision)[0].rule["top_k"] == 40
        assert page.problems() == []


class TestWelcome:
    def test_it_says_what_holds(self, page: Page, toy: Model) -> None:
        page.widget.set(bias=1.5, reading="listen")
        page.hello()
        welcome = page.of("welcome")[-1]
        assert (welcome["settings"]["bias"], welcome["live"]["reading"]) == (1.5, "listen")
        assert welcome["loop"] == {"mode": "run", "phase": "", "chunk": -1, "waiting": 0}
        tokens = toy.traits.tokens
        assert welcome["tokens"]["KEEP_SILENCE"] == tokens["KEEP_SILENCE"]
        assert set(welcome["tokens"].values()) >= set(tokens.emotions.values())
        assert welcome["prefix"][0] == [tokens["ONLINE"], "ONLINE"]
        page.widget.feed(silence(1), 16_000)
        decision = page.widget.record.of_type(Decision)[0]
        assert list(decision.before) == [token for token, _ in welcome["prefix"]]
        assert decision.limit == welcome["limit"]

    def test_the_page_shows_the_prefix_that_was_really_fed(self, page: Page) -> None:
        """Another system prompt is shown once the context has begun with it, and not before."""

        def shown() -> tuple[int, ...]:
            return tuple(token for token, _ in page.widget.model_info["prefix"])

        page.widget.feed(silence(1), 16_000)
        before = page.widget.record.of_type(Decision)[0].before
        assert shown() == before
        page.widget.set(system_prompt="Other!")
        assert shown() == before
        page.widget.feed(silence(1), 16_000)
        fed = page.widget.record.of_type(Decision)[1].before
        page.until(lambda: shown() == fed)
        assert fed != before
        assert [notice.kind for notice in page.widget.record.of_type(Notice)].count("context_reset") == 1
        assert tuple(token for token, _ in page.of("model")[-1]["prefix"]) == fed

    def test_events_of_another_session_do_not_count(self, page: Page) -> None:
        page.record(babble(1))
        count = len(settled(page))
        for session, first in ((1, [count - 1]), (None, [0]), (7, [0]), ("x", [0])):
            received = len(page.received)
            page.hello(seen=count - 1, session=session)  # type: ignore[arg-type]
            events = [message for message in page.received[received:] if message["type"] == "events"]
            assert [message["first"] for message in events] == first


class TestAudio:
    def test_a_chunk_on_request(self, page: Page) -> None:
        page.widget.feed(babble(2), 16_000)
        page.send({"type": "fetch", "what": "audio", "chunk": 3})
        message = page.of("audio")[0]
        assert (message["chunk"], message["rate"], message["ok"]) == (3, 16_000, True)
        raw = page.buffers_of("audio")[0]
        heard = np.frombuffer(raw, "<i2") / 32768
        np.testing.assert_allclose(heard, page.widget.record.chunk_audio(3), atol=1 / 32768)

    def test_as_text_where_buffers_are_spoiled(self, page: Page) -> None:
        page.hello(binary=False)
        page.widget.feed(babble(1), 16_000)
        page.send({"type": "fetch", "what": "audio", "chunk": 0})
        assert page.buffers_of("audio") == []
        assert len(page.of("audio")[0]["data"]) == 4 * -(-12_800 // 3)

    @pytest.mark.parametrize("chunk", [0, 99, 2**53])
    def test_what_is_no_longer_kept(self, build: Build, chunk: int) -> None:
        page = build(audio_seconds=0.4)
        page.widget.feed(silence(3), 16_000)
        page.send({"type": "fetch", "what": "audio", "chunk": chunk})
        assert page.of("audio")[0]["ok"] is False
        assert page.widget.counters["discarded_s"] == 0.8


class TestCounters:
    def test_what_was_left_out(self, build: Build) -> None:
        page = build(overload="pause", overload_chunks=2)
        page.widget.pause()
        page.open()
        for _ in range(5):
            page.block(silence(1))
        counters = {"waiting": 2, "dropped_chunks": 3, "dropped_s": 1.2, "discarded_s": 0.0}
        page.until(lambda: {**page.widget.counters, **counters} == page.widget.counters)
        assert [problem["code"] for problem in page.of("problem")] == ["overload"]


def test_the_widgets_settings_have_no_name_in_common() -> None:
    from ai_widgets.widget.live_settings import LIVE_NAMES, SESSION_NAMES

    assert not set(LIVE_NAMES) & set(SESSION_NAMES)
    assert AudioInteraction._kernel_owned
