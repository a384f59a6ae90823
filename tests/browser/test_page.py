"""The page with the model in it: it hears, decides and replies without a kernel, and without a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Playwright, expect

import ai_widgets as aiw
from ai_widgets.page.contents import contents
from ai_widgets.page.files import MODEL_FOLDER, SERVICE_WORKER_FILE
from ai_widgets.page.single_file import write_single_file
from ai_widgets.page.site import write_site
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Turn
from ai_widgets.record.record import SessionRecord

from . import sounds
from .axe import grave_findings
from .site import SPOKEN, Site, Sites, served
from .test_access import STICKING_OUT

OpenSite = Callable[..., Site]


@pytest.fixture(scope="session")
def built() -> dict[str, bytes]:
    """All files of the page of the embedded checkpoint."""
    return contents(aiw.load_model("tiny"))


@pytest.fixture(scope="session")
def folder(built: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site."""
    made = tmp_path_factory.mktemp("page") / "site"
    write_site(built, made)
    return made


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    with served(folder) as (url, _):
        yield url


@pytest.fixture(scope="session")
def sites(playwright_: Playwright) -> Iterator[Sites]:
    opened = Sites(playwright_)
    yield opened
    opened.close()


@pytest.fixture
def new_site(sites: Sites, speech_microphone: Path, address: str) -> Iterator[OpenSite]:
    """A page that is not opened yet. Errors, warnings, and requests to other hosts fail the test."""
    made: list[Site] = []

    def new(host: str = address, *, microphone: Path = speech_microphone, **how: object) -> Site:
        made.append(sites.new(microphone, host, **how))  # type: ignore[arg-type]
        return made[-1]

    yield new
    sites.end_pages()
    assert [fault for site in made for fault in site.faults] == []


@pytest.fixture
def open_site(new_site: OpenSite, address: str) -> OpenSite:
    """The page with its model loaded."""

    def open_(where: str = "", **how: object) -> Site:
        site = new_site(**how)
        site.open(address + where)
        return site

    return open_


def test_with_the_network_cut_two_utterances_get_two_replies(open_site: OpenSite) -> None:
    site = open_site("#greedy=true")
    site.page.context.set_offline(True)
    site.button("record").click()
    assert site.wait_replies(2) == [SPOKEN] * 2
    expect(site.button("light")).to_have_attribute("data-light", "on")
    site.button("record").click()
    expect(site.widget).to_have_attribute("data-state", "stopped")
    expect(site.widget).to_have_attribute("data-mic", "closed")
    assert site.problems() == []


def test_rain_gets_no_reply(open_site: OpenSite, tmp_path: Path) -> None:
    site = open_site(microphone=sounds.microphone_file(tmp_path, sounds.rain(8)))
    site.page.context.set_offline(True)
    site.button("record").click()
    # On a laden machine several decisions are shown at once.
    expect(site.widget).to_have_attribute("data-decisions", re.compile(r"1[6-9]|[2-9]\d|\d{3}"))
    site.button("record").click()
    expect(site.widget).to_have_attribute("data-state", "stopped")
    assert site.replies() == []


def test_a_saved_session_is_loaded_and_reproduced_by_python(open_site: OpenSite, tmp_path: Path) -> None:
    site = open_site("#seed=5")
    site.play()
    replies = site.wait_replies(2)
    site.button("save").click()
    with site.page.expect_download() as download:
        site.button("save-aiw").click()
    where = tmp_path / download.value.suggested_filename
    download.value.save_as(where)
    record = SessionRecord.load(where)
    assert [turn.text for turn in record.of_type(Turn)] == replies
    assert record.header.settings["seed"] == 5
    model = aiw.load_model("tiny")
    assert record.header.model["fingerprint"] == model.session().record.header.model["fingerprint"]
    replay = model.replay(record)
    assert replay.reproduced, str(replay)


def test_a_recording_of_python_is_shown_and_closed_again(open_site: OpenSite, tmp_path: Path) -> None:
    with aiw.load_model("tiny").session(seed=1) as session:
        session.play(sounds.SPEECH)
        session.finish()
        where = session.record.save(tmp_path / "talk.aiw")
    decided = len(session.record.of_type(Decision))
    site = open_site()
    site.button("file-input").set_input_files(where)
    expect(site.widget).to_have_attribute("data-recording", "true")
    expect(site.widget).to_have_attribute("data-decisions", str(decided))
    assert site.replies() == [turn.text for turn in session.record.of_type(Turn)]
    site.page.get_by_test_id("turn").first.get_by_role("button").first.click()
    site.button("play-heard").click()
    expect(site.button("play-heard")).to_have_attribute("data-playing", "false")
    expect(site.page.locator(".aiw-play-said")).to_be_empty()
    assert site.problems() == []
    site.button("recording-close").click()
    expect(site.widget).to_have_attribute("data-recording", "false")
    expect(site.widget).to_have_attribute("data-decisions", "0")


def test_a_recording_of_python_is_run_on_as_python_runs_it_on(open_site: OpenSite, tmp_path: Path) -> None:
    """A clip with its own floor, exact audio from FLAC, and a seed: the branch has Python's decisions and replies."""
    model = aiw.load_model("tiny")
    with model.session(seed=4) as session:
        session.push_clip(sounds.speech(), sounds.RATE)
        where = session.record.save(tmp_path / "talk.aiw")
    at = 4
    fork = model.rerun(session.record).fork(at, force="TEXT_BEGIN")
    fork.run_on()
    site = open_site()
    site.button("file-input").set_input_files(where)
    expect(site.widget).to_have_attribute("data-recording", "true")
    site.select(at)
    site.button("run-on-speak").click()
    expect(site.button("branch")).to_have_attribute("data-state", "done")
    expect(site.button("branch-said")).to_contain_text(f"first {at}: ")
    differs = [
        chunk
        for chunk in range(at, session.record.chunks_heard)
        if told(session.record, chunk) != told(fork.record, chunk)
    ]
    expect(site.button("branch-said")).to_have_attribute("data-differences", str(len(differs)))
    assert site.problems() == []


def told(record: SessionRecord, chunk: int) -> tuple[list[str], list[str]]:
    """What a record decides at a chunk, and replies."""
    decisions = [decision.choice for decision in record.of_type(Decision) if decision.chunk == chunk]
    return decisions, [turn.text for turn in record.of_type(Turn) if turn.chunk == chunk]


def test_browsers_decode_the_flac_of_a_recording_to_less_than_half_a_step(open_site: OpenSite, tmp_path: Path) -> None:
    """The page rounds what a browser decodes to 24 bits, and adds the rest: exact if the browser is that exact."""
    from base64 import b64encode

    from ai_widgets.record import exact_flac

    samples = np.random.default_rng(3).uniform(-1, 1, 12_800).astype(np.float32)
    with (tmp_path / "rest").open("wb") as rest:
        exact_flac.write([samples], tmp_path / "audio.flac", rest)
    site = open_site()
    data = b64encode((tmp_path / "audio.flac").read_bytes()).decode("ascii")
    decoded = site.page.evaluate(
        """async data => {
          const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
          const buffer = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes.buffer);
          return [...buffer.getChannelData(0)];
        }""",
        data,
    )
    whole, _ = exact_flac.split(samples)
    assert np.abs(np.array(decoded) * exact_flac.SCALE - whole).max() < 0.25


def test_the_address_holds_the_settings(open_site: OpenSite, address: str) -> None:
    site = open_site("#greedy=true&bias=-8")
    site.play()
    assert site.replies() == []
    site.button("settings-toggle").click()
    bias = site.page.get_by_test_id("field-bias").locator("input").first
    bias.fill("0")
    expect(site.page).to_have_url(f"{address}#greedy=true")
    other = open_site("#seed=1.5&volume=11")
    expect(other.page.get_by_test_id("problem")).to_contain_text("seed cannot be “1.5”")
    expect(other.page.get_by_test_id("problem")).to_contain_text("“volume” is no setting")


def test_a_chunk_is_run_on_with_another_decision(open_site: OpenSite) -> None:
    site = open_site()
    site.play("rain")
    assert site.replies() == []
    site.select(2)
    site.button("run-on-speak").click()
    lane = site.button("branch")
    expect(lane).to_have_attribute("data-state", "done")
    expect(lane).to_contain_text("TEXT_BEGIN forced")


def test_the_loop_is_stepped_phase_by_phase(open_site: OpenSite) -> None:
    site = open_site()
    site.button("step-mode").click()
    site.button("pace").select_option("fast")
    site.button("clip").select_option("digit")
    for chunks, decisions in (("1", "0"), ("1", "1"), ("2", "1")):
        site.button("step-next").click()
        expect(site.widget).to_have_attribute("data-chunks", chunks)
        expect(site.widget).to_have_attribute("data-decisions", decisions)
    site.button("step-mode").click()
    expect(site.button("playing")).to_have_attribute("data-file", "ended")


def test_after_the_first_visit_it_opens_without_a_server(new_site: OpenSite, folder: Path) -> None:
    with served(folder) as (url, _):
        site = new_site(url)
        site.open(url)
        expect(site.button("offline")).to_have_attribute("data-offline", "ready")
    site.page.reload()
    site.wait_ready()
    site.play()
    assert site.wait_replies(2) == [SPOKEN] * 2


def test_a_new_version_of_the_site_takes_the_place_of_the_stored_one(
    new_site: OpenSite, built: dict[str, bytes], folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(folder, copy)
    with served(copy) as (url, _):
        site = new_site(url)
        site.open(url)
        expect(site.button("offline")).to_have_attribute("data-offline", "ready")
        document = built["index.html"].replace(b"in this page</title>", b"of another version</title>")
        text = built[SERVICE_WORKER_FILE].decode("utf-8")
        version = text.partition('"version": "')[2].partition('"')[0]
        worker = text.replace(version, "another").encode("utf-8")
        write_site({**built, "index.html": document, SERVICE_WORKER_FILE: worker}, copy)
        site.page.evaluate("navigator.serviceWorker.ready.then(found => found.update())")
        names = "caches.keys().then(names => names.map(name => name.split(' ').at(-1)))"
        while site.page.evaluate(names) != ["another"]:
            site.page.wait_for_timeout(50)
        site.page.reload()
        expect(site.page).to_have_title("Audio-Interaction of another version")


def test_one_file_from_disk_is_the_whole_page(
    new_site: OpenSite, built: dict[str, bytes], tmp_path: Path, artifacts: Path
) -> None:
    path = tmp_path / "page.html"
    write_single_file(built, path)
    site = new_site("file:")
    site.page.context.set_offline(True)
    site.open(path.as_uri())
    expect(site.button("offline")).to_have_attribute("data-offline", "ready")
    site.play()
    assert site.wait_replies(2) == [SPOKEN] * 2
    # A page from disk has no origin, so that Chromium refuses it an audio thread; the page says so and records.
    site.button("record").click()
    expect(site.widget).to_have_attribute("data-mic", "open")
    expect(site.page.get_by_test_id("problem")).to_have_attribute("data-code", "degraded")
    site.button("record").click()
    site.faults[:] = [fault for fault in site.faults if "ScriptProcessorNode is deprecated" not in fault]
    site.page.screenshot(path=artifacts / "page-single-file.png")


def test_a_hand_out_is_shown_run_on_and_goes_on_from_disk(
    built: dict[str, bytes], new_site: OpenSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Path
) -> None:
    model = aiw.load_model("tiny")
    session = model.session(greedy=True)
    session.push(sounds.speech(), sounds.RATE)
    exported = {f"{Path(name).name}": content for name, content in built.items() if name.startswith(f"{MODEL_FOLDER}/")}
    monkeypatch.setattr("ai_widgets.page.contents.export", lambda *_: exported)
    page = aiw.page.to_html(session.record, tmp_path / "talk.html", title="Tuesday <1>")
    audio = session.record.chunks_heard * CHUNK_SAMPLES * 4
    assert page.stat().st_size <= 20_000_000 + audio * 4 // 3
    site = new_site("file:")
    site.page.context.set_offline(True)
    site.open(page.as_uri())
    expect(site.page).to_have_title("Tuesday <1>")
    expect(site.widget).to_have_attribute("data-recording", "true")
    assert site.replies() == [turn.text for turn in session.record.of_type(Turn)]
    site.select(2)
    site.button("run-on-speak").click()
    expect(site.button("branch")).to_have_attribute("data-state", "done")
    expect(site.button("branch-said")).to_contain_text("first 2: ")
    assert grave_findings(site.page, "body") == []
    site.page.screenshot(path=artifacts / "page-hand-out.png", full_page=True)
    site.page.set_viewport_size({"width": 390, "height": 844})
    assert site.widget.evaluate(STICKING_OUT) == []
    site.page.screenshot(path=artifacts / "page-hand-out-390.png", full_page=True)
    site.play()
    expect(site.widget).to_have_attribute("data-recording", "false")
    assert site.wait_replies(2) == [SPOKEN] * 2


def test_a_missing_file_of_the_model_is_a_sentence(
    sites: Sites, speech_microphone: Path, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("step.onnx"))
    with served(copy) as (url, _):
        site = sites.new(speech_microphone, url)
        site.page.goto(url)
        expect(site.page.get_by_test_id("problem")).to_contain_text(
            "The file model/step.onnx of this page is missing on the server (404). Upload the whole folder"
        )
        expect(site.button("record")).to_be_disabled()
        expect(site.button("engine")).to_have_text("No engine runs.")
        sites.end_pages()


def test_a_refused_microphone_is_a_sentence_and_a_clip_still_plays(open_site: OpenSite) -> None:
    site = open_site(allow=False)
    site.button("record").click()
    expect(site.page.get_by_test_id("problem")).to_be_visible()
    site.play("digit")
    assert len(site.replies()) == 1


def test_no_grave_finding_of_axe_and_nothing_sticks_out(open_site: OpenSite, artifacts: Path) -> None:
    """On a desktop and on a phone, in the light and in the dark; the first picture, and each view after a clip."""
    site = open_site("#seed=1.5", first_visit=True)
    expect(site.widget).to_have_attribute("data-view", "show")
    site.page.screenshot(path=artifacts / "page-first.png", full_page=True)
    site.page.set_viewport_size({"width": 390, "height": 844})
    assert grave_findings(site.page, "body") == []
    site.page.screenshot(path=artifacts / "page-first-390.png", full_page=True)
    site.play()
    site.button("view-explore").click()
    site.button("settings-toggle").click()
    site.button("save").click()
    for name, dark in (("explore", False), ("teach", True), ("show", True)):
        site.button(f"view-{name}").click()
        site.page.emulate_media(color_scheme="dark" if dark else "light")
        expect(site.widget).to_have_attribute("data-theme", "dark" if dark else "light")
        assert grave_findings(site.page, "body") == []
        for width in (390, 1280):
            site.page.set_viewport_size({"width": width, "height": 844})
            assert site.widget.evaluate(STICKING_OUT) == []
            assert site.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            site.page.screenshot(path=artifacts / f"page-{name}-{width}.png", full_page=True)
