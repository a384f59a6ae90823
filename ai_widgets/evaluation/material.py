"""The recordings of an evaluation: validation and evaluation splits only, never anything that was trained on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from ai_widgets.audio.folders import audio_in, skipped_words
from ai_widgets.errors import AudioError, AudioWarning, SettingError
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import clipcache
from ai_widgets.training.corpus import (
    AMBIENCE,
    GROUP_COLUMN,
    LABEL_KINDS,
    MACHINE_VOICE,
    SPEECH,
    Clip,
    extra_sounds,
    make_clip,
    read_16k,
    recordings,
    synthetic_speech,
)
from ai_widgets.training.labels import REPLY_OF_KIND, REPLY_SPEECH
from ai_widgets.training.lexicon import DIGITS, KEYWORDS

SPEECH_LABEL = "speech"


class Material:
    """The clips of an evaluation, sorted by their use.

    Parameters
    ----------
    validation
        Held-out clips of the sources that training uses.
    evaluation
        Clips of sources that are for evaluation alone. They are heard one by one, not mixed into long streams.
    """

    def __init__(self, validation: Sequence[Clip], evaluation: Sequence[Clip] = ()) -> None:
        if not validation and not evaluation:
            raise SettingError(
                "There is nothing to evaluate on: none of the recordings belongs to the validation split "
                "(ESC-10 fold 4 and a share of the other files, see ai_widgets.training.corpus)."
            )
        self.validation = list(validation)
        everything = (*validation, *evaluation)
        self.machines = [c for c in everything if c.label == MACHINE_VOICE]
        self.ambience = [c for c in everything if c.kind == AMBIENCE and c.label != MACHINE_VOICE]
        self.sounds = [c for c in everything if c.kind in REPLY_OF_KIND]
        self.digits = _people([c for c in evaluation if 0 < c.word <= len(DIGITS)]) or _people(
            [c for c in validation if 0 < c.word <= len(DIGITS)]
        )
        self.keywords = _people([c for c in everything if len(DIGITS) < c.word <= len(DIGITS) + len(KEYWORDS)])
        self.commands = _people([c for c in everything if len(DIGITS) + len(KEYWORDS) < c.word < REPLY_SPEECH])
        self.speech = _people([c for c in everything if c.word == REPLY_SPEECH])

    def seconds_of(self, sources: Iterable[str]) -> float:
        """Return the seconds of the ambience of some groups, each recording counted once."""
        wanted = set(sources)
        return sum(len(c.samples) for c in self.ambience if c.group in wanted) / SAMPLE_RATE

    def describe(self) -> dict[str, dict[str, float]]:
        """Count the recordings and their seconds, by use and label."""
        table: dict[str, dict[str, float]] = {}
        for use in ("ambience", "sounds", "digits", "keywords", "commands", "speech"):
            for clip in getattr(self, use):
                row = table.setdefault(clip.label if use in ("ambience", "sounds") else use, {"clips": 0, "seconds": 0})
                row["clips"] += 1
                row["seconds"] = round(row["seconds"] + len(clip.samples) / SAMPLE_RATE, 1)
        return table


def _people(clips: list[Clip]) -> list[Clip]:
    """Return the recordings of people or, without any, the synthetic voices (their label is the engine's name)."""
    return [c for c in clips if c.label == SPEECH_LABEL] or clips


def heldout_sounds(folder: Path) -> list[Clip]:
    """Read ``folder/<label>/*``: sounds that nothing was trained on, all of them. Labels are those of a manifest.

    Raises
    ------
    AudioError
        Where the folder holds no such files, or one that is no audio.
    """
    found = []
    files, skipped = audio_in(folder, "*/*")
    if skipped:
        warnings.warn(skipped_words(folder, skipped), AudioWarning, stacklevel=2)
    for path in files:
        label = path.parent.name
        kind = LABEL_KINDS.get(label, AMBIENCE)
        word = REPLY_SPEECH if kind == SPEECH else 0
        clip = make_clip(read_16k(path), kind, word, f"{folder.name}/{path.relative_to(folder).as_posix()}", label)
        if clip is not None:
            found.append(clip)
    if not found:
        raise AudioError(f"{folder} holds no sounds; expected are {folder}/<label>/*.wav, .flac, .m4a, ….")
    return found


def gather(
    data: Sequence[Path],
    speech: Path | None = None,
    extra: Path | None = None,
    clips: Path | None = None,
    heldout: Sequence[Path] = (),
    *,
    evaluation_only: bool = True,
) -> Material:
    """Read the held-out recordings of sources that training uses, and the sounds that are for evaluation alone.

    Parameters
    ----------
    data
        Folders of recordings with a manifest.
    speech
        Speech cache; of its voices the validation split is read.
    extra
        Folder of more sounds, one folder a label; the validation split is read.
    clips
        Clip cache of the validation split. A clip that is in one of the folders as well is taken once.
    heldout
        Folders of sounds that nothing was trained on.
    evaluation_only
        Whether to read the recordings of `data` that are marked for evaluation only.

    Returns
    -------
    Material
        What is there; any of the parameters may be missing, but not all.
    """
    validation: list[Clip] = []
    evaluation: list[Clip] = []
    for folder in data:
        validation += recordings(folder, ["validation"])
        if evaluation_only:
            evaluation += recordings(folder, ["evaluation"])
    for folder in heldout:
        evaluation += heldout_sounds(folder)
    if speech is not None:
        validation += synthetic_speech(speech, ["validation"])
    if extra is not None:
        validation += extra_sounds(extra, ["validation"])
    if clips is not None:
        if not clips.with_suffix(".json").is_file() or not clips.with_suffix(".npy").is_file():
            raise SettingError(f"{clips} is no clip cache: {clips.name}.json and {clips.name}.npy are not both there.")
        try:
            cached = clipcache.load(clips)
        except (ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise SettingError(f"The clip cache {clips} cannot be read: {error}.") from error
        known = {clip.group for clip in validation}
        validation += [clip for clip in cached if clip.group not in known]
    return Material(validation, evaluation)


def gather_unseen(data: Sequence[Path], heldout: Sequence[Path] = ()) -> Material:
    """Read the recordings of sources that moved no weight and chose no operating point.

    Parameters
    ----------
    data
        Folders of recordings with a manifest; the splits `unseen` and `evaluation` are read.
    heldout
        Folders of sounds that nothing was trained on.

    Returns
    -------
    Material
        The recordings, all of them usable in long streams.

    Raises
    ------
    SettingError
        Where no manifest names a source or a group that is held back.
    """
    clips = [clip for folder in data for clip in recordings(folder, ["unseen", "evaluation"])]
    clips += [clip for folder in heldout for clip in heldout_sounds(folder)]
    if not clips:
        raise SettingError(
            "--unseen needs recordings of sources that are held back: none of the manifests has a column "
            f"{GROUP_COLUMN} or a folder for evaluation only (see ai_widgets.training.corpus)."
        )
    return Material(clips)
