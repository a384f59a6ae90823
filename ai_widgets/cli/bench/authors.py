"""Time the authors' own code on the same checkpoint and audio, for ``ai-widgets bench --authors DIR``.

DIR is a clone of their repository, with its requirements installed in this environment. This package contains none of
their code: their offline runner is called in a separate process, where hooks of torch time the forward passes of its
language model and its encoder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from ...audio.files import load_audio
from ...audio.intake import cut
from ...errors import SettingError
from ...inference import Model
from ...protocol import CHUNK_SAMPLES, SAMPLE_RATE, Decision, Event
from ...session.perceive import hear_clip
from ...training.child_process import output_of

RUNNERS = ("infer_online.py", "infer.py")
"""Files that may hold their runner; the first that exists is called."""
BLOCK = 13
"""Tokens of a decision step: the previous token and the block."""
SECONDS = 20.0
"""Audio that both implementations hear, in seconds: fifty chunks, enough for a median."""
NOISE_DB = -46.0
"""Level of the noise that they hear, in dB of full scale: audible, and below what the model answers."""
MOST_SECONDS = 1_800
"""Timeout of their run in seconds: loading a checkpoint of the published size alone takes minutes."""

THEIR_RUN = """
import importlib, json, sys, time
import torch
folder, runner, checkpoint, audio, device = sys.argv[1:]
sys.path.insert(0, folder)
calls, begun = [], {}
def before(module, given):
    begun[id(module)] = time.perf_counter()
def after(module, given, made):
    name = type(module).__name__
    if name == "GPT" or name.endswith("AudioEncoder"):
        end = time.perf_counter()
        calls.append([name, int(given[0].shape[-1]) if name == "GPT" else 0, begun[id(module)], end])
torch.nn.modules.module.register_module_forward_pre_hook(before)
torch.nn.modules.module.register_module_forward_hook(after)
run = importlib.import_module(runner).run_inference
run(checkpoint_dir=checkpoint, audio_paths=[audio], device=device)
print("\\n" + json.dumps(calls))
"""


def compare(folder: Path, checkpoint: Path, model: Model) -> dict[str, float]:
    """Measure the milliseconds of their code and of ours, and the ratios.

    A step is one decision: from the start of one forward pass of 13 tokens to the start of the next. A chunk is a step
    and its share of the encoder. Both run on the same quiet noise as a file, greedy, in one growing context.

    Parameters
    ----------
    folder
        A clone of their repository.
    checkpoint
        A folder in the published layout, which their code can load.
    model
        The same checkpoint, loaded by this package.

    Raises
    ------
    SettingError
        Where the folder lacks their runner, or their code made no decisions.
    """
    with TemporaryDirectory() as scratch:
        audio = Path(scratch) / "noise.wav"
        _write_noise(audio)
        theirs = _their_times(folder, checkpoint, audio, model)
        ours = _our_times(model, audio)
    return {
        "step, authors' code [ms]": round(theirs[0], 2),
        "step, ours [ms]": round(ours[0], 2),
        "step, ours ÷ authors'": round(ours[0] / theirs[0], 3),
        "chunk, authors' code [ms]": round(theirs[1], 2),
        "chunk, ours [ms]": round(ours[1], 2),
        "chunk, ours ÷ authors'": round(ours[1] / theirs[1], 3),
    }


def _write_noise(path: Path) -> None:
    import soundfile

    noise = np.random.default_rng(0).standard_normal(int(SECONDS * SAMPLE_RATE)) * 10 ** (NOISE_DB / 20)
    soundfile.write(str(path), noise.astype(np.float32), SAMPLE_RATE)


def _their_times(folder: Path, checkpoint: Path, audio: Path, model: Model) -> tuple[float, float]:
    runner = next((name for name in RUNNERS if (folder / name).is_file()), None)
    if runner is None:
        raise SettingError(f"--authors must be a clone of the authors' repository; {folder} holds no {RUNNERS[0]}.")
    words = [str(folder.resolve()), Path(runner).stem, str(checkpoint.resolve()), str(audio)]
    command = [sys.executable, "-c", THEIR_RUN, *words, str(model.placement.device)]
    printed = output_of(command, f"Running the authors' code in {folder}", cwd=folder, timeout=MOST_SECONDS)
    return times(json.loads(printed.decode().strip().splitlines()[-1]))


def times(calls: Sequence[tuple[str, int, float, float]]) -> tuple[float, float]:
    """Compute the median milliseconds of a step and of a chunk, from (module, tokens, begin, end) of forward passes."""
    steps = [(begin, end) for name, tokens, begin, end in calls if name == "GPT" and tokens == BLOCK]
    starts = [begin for name, _, begin, _ in calls if name == "GPT"]
    encoder = sum(end - begin for name, _, begin, end in calls if name != "GPT")
    following = dict(pairwise(starts))
    # At the start of another file, its encoding lies between two steps.
    busy = [(begin, end) for name, _, begin, end in calls if name != "GPT"]
    whole = [
        following[begin] - begin
        for begin, _ in steps
        if begin in following and not any(begin < start < following[begin] for start, _ in busy)
    ]
    if not whole:
        raise SettingError("The authors' code made no decisions on the audio, so there is nothing to compare.")
    step = median(whole)
    return step * 1e3, (step + encoder / (len(steps) + 1)) * 1e3


def _our_times(model: Model, audio: Path) -> tuple[float, float]:
    """Measure our code in the same way: from one decision to the next, and the share of features and tower."""
    session = model.session(greedy=True, context="stop")
    samples = load_audio(audio)
    begun = perf_counter()
    hear_clip(model, cut(samples), 0)
    encoding = perf_counter() - begun
    stream = session.stream_clip(samples)
    marks: list[float] = [perf_counter()]
    silent: list[float] = []
    for event in stream:
        if isinstance(event, Decision):
            now = perf_counter()
            if _kept_silent(event):
                silent.append(now - marks[-1])
            marks.append(now)
    step = median(silent[1:] or [marks[-1] - marks[0]])
    return step * 1e3, (step + encoding * CHUNK_SAMPLES / len(samples)) * 1e3


def _kept_silent(event: Event) -> bool:
    return isinstance(event, Decision) and event.choice == "KEEP_SILENCE"
