"""Audio as it arrived: `record.raw`, beside what the model heard."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from ai_widgets.cli.main import main
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk
from ai_widgets.record.record import SessionRecord
from tests.page import Build
from tests.signals import Array, babble

TALK = "talk.aiw"


class TestStreams:
    """Blocks of a microphone or from Python."""

    def test_python_blocks_by_clip_and_rate(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        whole = (np.rint(babble(3) * 20_000) / 32_768).astype(np.float32)
        session.push(whole[:30_000], 48_000)
        session.push(whole[30_000:40_000], 48_000)
        session.push(whole[40_000:], 44_100)
        session.finish()
        session.push(babble(1), 8_000)
        session.push(babble(1), 16_000)
        raw = session.record.raw
        assert [(each.clip, each.rate) for each in raw] == [(0, 48_000), (0, 44_100), (1, 8_000)]
        parts = [whole[:40_000], whole[40_000:], babble(1)]
        for segment, part in zip(raw, parts, strict=True):
            np.testing.assert_array_equal(segment.read(), part)
        assert [soundfile.info(str(each.path)).subtype for each in raw] == ["PCM_16", "PCM_16", "FLOAT"]

    @pytest.mark.parametrize("folder", [False, True])
    def test_it_is_saved_and_loaded(self, toy: Model, tmp_path: Path, folder: bool) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        whole = (np.rint(babble(1) * 20_000) / 32_768).astype(np.float32)
        session.push(whole, 48_000)
        loaded = SessionRecord.load(session.record.save(tmp_path / "saved.aiw", folder=folder))
        again = SessionRecord.load(loaded.save(tmp_path / "again.aiw", folder=not folder))
        for record in (loaded, again):
            ((segment, samples),) = [(each, each.read()) for each in record.raw]
            assert (segment.clip, segment.rate) == (0, 48_000)
            np.testing.assert_array_equal(samples, whole)

    def test_a_microphone_of_the_widget(self, build: Build, tmp_path: Path) -> None:
        page = build(keep=tmp_path)
        page.widget.feed(babble(1), 48_000)
        page.widget.feed(babble(0.4), 16_000)
        assert [(each.rate, len(each.read())) for each in page.widget.record.raw] == [(48_000, 16_000)]

    def test_a_block_that_is_taken_again_after_an_interrupt_is_stored_once(self, tmp_path: Path) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        blocks = [np.full(100, (number + 1) / 8, np.float32) for number in range(3)]
        for number in (0, 1, 1, 2):
            record.append_raw(blocks[number], 48_000, 0, source="blocks", start=100 * number)
        np.testing.assert_array_equal(record.raw[0].read(), np.concatenate(blocks))

    def test_without_a_folder_none_is_kept(self, toy: Model) -> None:
        session = toy.session(max_reply_tokens=1)
        session.push(babble(1), 48_000)
        assert session.record.raw == []


def wave_file(path: Path, samples: Array, rate: int) -> Path:
    soundfile.write(str(path), samples, rate, subtype="PCM_16")
    return path


def sixteen_bit(seconds: float) -> Array:
    """Babble at 48 kHz that 16-bit files hold exactly, and that lasts longer than one piece of a stream."""
    return (np.rint(babble(3 * seconds) * 20_000) / 32_768).astype(np.float32)


class TestWholeSounds:
    """Files and whole clips: the samples as decoded, mono, before resampling."""

    @pytest.mark.parametrize("floor", ["running", "clip"])
    def test_a_file_at_its_own_rate(self, toy: Model, tmp_path: Path, floor: str) -> None:
        whole = sixteen_bit(12)
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        session.play(wave_file(tmp_path / "talk.wav", whole, 48_000), floor=floor)
        ((segment, samples),) = [(each, each.read()) for each in session.record.raw]
        assert (segment.clip, segment.rate) == (0, 48_000)
        np.testing.assert_array_equal(samples, whole)

    @pytest.mark.parametrize("floor", ["running", "clip"])
    def test_a_clip_at_its_own_rate(self, toy: Model, tmp_path: Path, floor: str) -> None:
        whole = sixteen_bit(2)
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        session.push_clip(whole, 48_000, floor=floor)
        ((segment, samples),) = [(each, each.read()) for each in session.record.raw]
        assert (segment.clip, segment.rate) == (0, 48_000)
        np.testing.assert_array_equal(samples, whole)

    def test_each_sound_belongs_to_the_clip_of_its_chunks(self, toy: Model, tmp_path: Path) -> None:
        """A whole clip ends the stream before it, which its first samples are read ahead of."""
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        session.push(babble(0.5), 8_000)
        session.push_clip(babble(0.6), 8_000, floor="clip")
        session.play(wave_file(tmp_path / "talk.wav", babble(0.7), 44_100), floor="clip")
        chunks = [chunk.clip for chunk in session.record.of_type(Chunk)]
        assert sorted(set(chunks)) == [0, 1, 2]
        assert [(each.clip, each.rate) for each in session.record.raw] == [(0, 8_000), (1, 8_000), (2, 44_100)]

    def test_a_file_that_an_interrupt_makes_read_again_is_stored_once(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = sixteen_bit(3)
        record = SessionRecord(keep=tmp_path / TALK)
        session = toy.session(record, max_reply_tokens=1)
        append, calls = record.append_raw, 0

        def interrupted(*given: object, **named: object) -> None:
            nonlocal calls
            calls += 1
            append(*given, **named)  # type: ignore[arg-type]
            if calls == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(record, "append_raw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.play(wave_file(tmp_path / "talk.wav", whole, 48_000))
        session.run_on()
        assert calls > 2
        np.testing.assert_array_equal(np.concatenate([each.read() for each in record.raw]), whole)

    def test_an_open_file_and_its_channels_mixed(self, toy: Model, tmp_path: Path) -> None:
        both = np.stack([sixteen_bit(1), np.zeros(48_000, np.float32)], axis=1)
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        with wave_file(tmp_path / "talk.wav", both, 48_000).open("rb") as file:
            opened: BinaryIO = file
            session.play(opened)
        (segment,) = session.record.raw
        np.testing.assert_allclose(segment.read(), both.mean(axis=1), atol=1e-7)

    def test_sound_at_the_rate_of_the_model_is_not_stored_twice(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / TALK), max_reply_tokens=1)
        session.play(wave_file(tmp_path / "talk.wav", babble(1), 16_000), floor="clip")
        assert session.record.raw == []

    def test_memory_does_not_depend_on_the_length(self, tmp_path: Path) -> None:
        """A whole array is written in pieces, so that no second copy of it is made."""
        longest = 0

        class Watching(SessionRecord):
            def append_raw(self, samples: Array, *_given: object, **_named: object) -> None:
                nonlocal longest
                longest = max(longest, len(samples))

        from ai_widgets.policies.constant import AlwaysSilent
        from ai_widgets.session.session import StreamingSession

        session = StreamingSession(AlwaysSilent(), record=Watching(keep=tmp_path / TALK))
        session.push_clip(np.zeros(60 * 48_000, np.float32), 48_000)
        assert 0 < longest <= 10 * 48_000


class TestLeftOut:
    """Without raw audio, where the size of a recording matters."""

    def test_of_a_record(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / TALK, raw=False), max_reply_tokens=1)
        session.push(babble(1), 48_000)
        session.push_clip(babble(1), 48_000)
        assert session.record.raw == []
        assert not (tmp_path / TALK / "raw").exists()

    def test_of_a_widget(self, build: Build, tmp_path: Path) -> None:
        page = build(keep=tmp_path, keep_raw=False)
        page.widget.feed(babble(1), 48_000)
        assert page.widget.record.raw == []

    @pytest.mark.parametrize(("options", "rates"), [([], [48_000]), (["--no-raw"], [])])
    def test_of_a_run(self, toy_folder: Path, tmp_path: Path, options: list[str], rates: list[int]) -> None:
        wave_file(tmp_path / "talk.wav", sixteen_bit(1), 48_000)
        saved, model = tmp_path / "out.aiw", ["--checkpoint", str(toy_folder), "--device", "cpu"]
        assert main(["run", str(tmp_path / "talk.wav"), *model, "--save", str(saved), *options]) == 0
        assert [each.rate for each in SessionRecord.load(saved).raw] == rates
