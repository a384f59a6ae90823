"""The embedded checkpoint: small, silent without speech, and it answers soon after the end of speech."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from ai_widgets.audio.files import load_audio
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SECONDS, Decision, Turn
from tests.signals import FIXTURES, Array

MOST_BYTES = 12 * 1024 * 1024
UTTERANCES = ((1.0, 3.845), (6.845, 8.583))
"""Where somebody speaks in speech_pause_speech.ogg, in seconds."""
SOON = 3 * CHUNK_SECONDS + 1e-9


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", "cpu")


@pytest.fixture(scope="module")
def speech() -> Array:
    return load_audio(FIXTURES / "speech_pause_speech.ogg")


def replies(model: Model, samples: Array) -> list[Turn]:
    session = model.session(greedy=True, max_reply_tokens=64)
    return [event for event in session.push(samples) if isinstance(event, Turn)]


def coloured(seconds: float, exponent: float, level: float, seed: int) -> Array:
    """Noise whose power falls with frequency to the power of `exponent`: 0 white, 1 pink, 2 brown."""
    random = np.random.default_rng(seed)
    count = round(seconds * 16_000)
    spectrum = random.standard_normal(count // 2 + 1) + 1j * random.standard_normal(count // 2 + 1)
    spectrum[1:] /= np.arange(1, count // 2 + 1) ** (exponent / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, count)
    return (noise * level / np.sqrt(np.mean(noise**2))).astype(np.float32)


def test_it_is_small() -> None:
    folder = Path(str(resources.files("ai_widgets"))) / "tiny"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= MOST_BYTES


def test_it_has_a_token_table_of_its_own(tiny: Model) -> None:
    assert tiny.traits.tokens.highest < tiny.decoder.vocabulary < 20_000
    assert repr(tiny) == "<Model tiny on cpu · float32>"


def test_silent_on_digital_silence(tiny: Model) -> None:
    assert replies(tiny, np.zeros(12 * 16_000, np.float32)) == []


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0], ids=["white", "pink", "brown"])
@pytest.mark.parametrize("level", [0.003, 0.03])
def test_silent_on_noise(tiny: Model, exponent: float, level: float) -> None:
    assert replies(tiny, coloured(10, exponent, level, seed=1)) == []


def test_a_reply_soon_after_each_utterance_and_none_during_it(tiny: Model, speech: Array) -> None:
    ends = [turn.start_s + CHUNK_SECONDS for turn in replies(tiny, speech)]
    for begin, end in UTTERANCES:
        assert any(end <= at <= end + SOON + CHUNK_SECONDS for at in ends), (end, ends)
        assert not [at for at in ends if begin + 2 * CHUNK_SECONDS < at < end - CHUNK_SECONDS], ends


def test_it_listens_rather_than_measures_level(tiny: Model, speech: Array) -> None:
    """The same utterance, much quieter, is answered as well."""
    begin, end = (round(at * 16_000) for at in (0.0, UTTERANCES[0][1] + 2.0))
    for gain in (1.0, 0.3):
        assert replies(tiny, speech[begin:end] * np.float32(gain)), gain


def test_replies_are_text(tiny: Model, speech: Array) -> None:
    for turn in replies(tiny, speech):
        assert turn.text.strip()
        assert turn.text.isprintable()
        assert turn.ended == "TEXT_END"


def test_figures_are_probabilities(tiny: Model, speech: Array) -> None:
    for event in tiny.session(seed=0).push(speech[:48_000]):
        if isinstance(event, Decision):
            assert event.p_keep + event.p_text + event.p_other == pytest.approx(1, abs=1e-5)
