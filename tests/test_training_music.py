"""Composed music: scores are pure and seeded, MIDI files say what the scores say, rendered pieces get a usual level."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.errors import ChildError
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import rendered_music, scores, styles


@given(seed=st.integers(0, 10**6), style=st.sampled_from(sorted(styles.STYLES)), seconds=st.floats(3, 20))
@settings(max_examples=60, deadline=None)
def test_a_score_is_playable(seed: int, style: str, seconds: float) -> None:
    score = scores.compose(seed, seconds, style)
    manner = styles.STYLES[style]
    assert seconds <= score.seconds < seconds + score.beats * 60 / score.tempo + 1e-6
    assert 1 <= len(score.parts) <= 6
    assert manner.tempo[0] - 0.1 <= score.tempo <= manner.tempo[1] + 0.1
    assert score.mode in manner.modes
    for part in score.parts:
        player = next(one for one in manner.players if one.role == part.role and part.program in one.programs)
        assert 0 <= part.program < 128
        assert 0 < part.level < 128
        assert part.drums == (player.role == "drums")
        assert part.notes
        for note in part.notes:
            assert 0 <= note.start < note.start + note.length <= score.bars * score.beats + 1e-9
            assert 0 < note.velocity < 128
            assert note.pitch in styles.DRUM_PITCHES.values() if part.drums else 12 <= note.pitch <= 108


@pytest.mark.parametrize("style", sorted(styles.STYLES))
def test_the_notes_of_a_score_are_in_its_mode(style: str) -> None:
    score = scores.compose(5, 12, style)
    scale = {(score.key + step) % 12 for step in scores.MODES[score.mode]}
    assert {note.pitch % 12 for part in score.parts if not part.drums for note in part.notes} <= scale


def test_a_seed_gives_one_score_and_another_seed_another() -> None:
    assert scores.compose(3, 10) == scores.compose(3, 10)
    assert len({scores.compose(seed, 10) for seed in range(30)}) == 30
    assert len({scores.compose(seed, 10).style for seed in range(60)}) > 15


@pytest.mark.parametrize("style", ["rock", "techno", "drums alone"])
def test_a_style_with_drums_has_a_drum_part(style: str) -> None:
    for seed in range(10):
        assert sum(part.drums for part in scores.compose(seed, 8, style).parts) == 1


def test_a_key_is_never_struck_while_it_sounds() -> None:
    for seed in range(20):
        for part in scores.compose(seed, 10).parts:
            ends: dict[int, float] = {}
            for note in part.notes:
                assert note.start >= ends.get(note.pitch, 0.0) - 1e-9
                ends[note.pitch] = note.start + note.length


@pytest.mark.parametrize("style", sorted(styles.STYLES))
def test_a_style_has_drums_for_each_of_its_meters(style: str) -> None:
    manner = styles.STYLES[style]
    if any(player.role == "drums" for player in manner.players):
        assert {styles.DRUM_STEPS[name] for name in manner.drums} >= {beats * 4 for beats in manner.beats}
    assert {low > 0 and high <= 180 for low, high in [manner.tempo]} == {True}


@pytest.mark.parametrize("name", sorted(styles.DRUM_PATTERNS))
def test_the_drums_of_a_pattern_have_bars_of_one_length(name: str) -> None:
    assert {len(strokes) for strokes in styles.DRUM_PATTERNS[name].values()} == {styles.DRUM_STEPS[name]}
    assert set(styles.DRUM_PATTERNS[name]) <= set(styles.DRUM_PITCHES)
    assert set("".join(styles.DRUM_PATTERNS[name].values())) <= set("Xxo.")


def messages(track: bytes) -> Iterator[tuple[int, bytes]]:
    """The (tick, message) pairs of a MIDI track without running status."""
    place, tick = 0, 0
    while place < len(track):
        delta = 0
        while True:
            byte = track[place]
            delta, place = delta << 7 | byte & 0x7F, place + 1
            if not byte & 0x80:
                break
        tick += delta
        length = 3 + track[place + 2] if track[place] == 0xFF else 2 if track[place] >> 4 == 0xC else 3
        yield tick, track[place : place + length]
        place += length


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_midi_file_holds_the_notes_of_its_score(seed: int) -> None:
    score = scores.compose(seed, 9)
    written = rendered_music.midi_bytes(score)
    assert written[:4] == b"MThd"
    assert struct.unpack(">IHHH", written[4:14]) == (6, 0, 1, rendered_music.TICKS)
    assert written[14:18] == b"MTrk"
    track = written[22:]
    assert struct.unpack(">I", written[18:22]) == (len(track),)
    events = list(messages(track))
    assert events[0][1] == b"\xff\x51\x03" + round(60e6 / score.tempo).to_bytes(3, "big")
    assert events[-1][1] == b"\xff\x2f\x00"
    starts = sorted((tick, m[1], m[2], m[0] & 15 == 9) for tick, m in events if m[0] >> 4 == 9)
    assert starts == sorted(
        (round(note.start * rendered_music.TICKS), note.pitch, note.velocity, part.drums)
        for part in score.parts
        for note in part.notes
    )
    held = [0] * (16 * 128)
    for _, message in events:
        if message[0] >> 4 in (8, 9):
            held[(message[0] & 15) * 128 + message[1]] += 1 if message[0] >> 4 == 9 else -1
            assert 0 <= min(held) <= max(held) <= 1
    assert not any(held)


def test_a_score_with_more_parts_than_midi_has_channels_is_refused() -> None:
    drums = scores.Part("drums", 0, 90, (scores.Note(0.0, 1.0, 36, 90),), drums=True)
    score = scores.Score("rock", 120.0, 4, 1, 0, "major", (drums, drums))
    with pytest.raises(ValueError, match="one channel for drums"):
        rendered_music.midi_bytes(score)


def test_a_piece_is_cut_and_brought_to_a_usual_level() -> None:
    time = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    tone = np.concatenate([np.zeros(4000), 0.01 * np.sin(2 * np.pi * 440 * time)]).astype(np.float32)
    for seed in range(8):
        clip = rendered_music.mastered(tone, np.random.default_rng(seed), 9.0)
        assert len(clip) == 9 * SAMPLE_RATE
        assert 0.3 <= np.abs(clip).max() <= 0.9
        assert np.abs(clip[:1000]).max() > 0.1
        assert np.abs(clip[-5:]).max() < 0.01


def test_a_silent_piece_is_an_error_and_no_clip() -> None:
    with pytest.raises(ChildError, match="silent"):
        rendered_music.mastered(np.zeros(SAMPLE_RATE, np.float32), np.random.default_rng(1), 0.5)


def test_clips_are_named_by_style_and_seed_and_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = []

    def tone(score: scores.Score, soundfont: Path, rng: np.random.Generator) -> np.ndarray:
        played.append(score)
        return rng.standard_normal(int(score.seconds * SAMPLE_RATE)).astype(np.float32)

    monkeypatch.setattr(rendered_music, "render", tone)
    assert rendered_music.fill(tmp_path / "music", 3, 7, Path("General.sf2")) == 3
    assert rendered_music.fill(tmp_path / "music", 4, 7, Path("General.sf2")) == 1
    files = sorted((tmp_path / "music").iterdir())
    assert [file.stem.split("-")[0] for file in files] == [score.style for score in played]
    for file in files:
        about = sf.info(file)
        assert about.samplerate == SAMPLE_RATE
        assert rendered_music.SHORTEST <= about.duration <= rendered_music.LONGEST


@pytest.mark.parametrize(
    ("installed", "said"), [(None, "fluidsynth is not installed"), ("/fluidsynth", "no soundfont missing.sf2")]
)
def test_what_is_not_installed_is_said(
    installed: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: installed)
    assert rendered_music.main(["--out", str(tmp_path / "music"), "--soundfont", "missing.sf2"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "music").exists()
