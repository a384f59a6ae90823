"""The front door: load a model, open a session, run files through it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .audio_files import load_audio
from .errors import AudioError
from .importing import collector_paused
from .model.checkpoint import LoadedModel, load
from .model.hub import Progress
from .protocol import Event
from .record import SessionRecord
from .session import StreamingSession
from .settings import Settings
from .transcript import facts_html

if TYPE_CHECKING:
    import torch

SEQUENCE_FILE = "sequence.json"
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64"})


class Model:
    """A loaded checkpoint. Any number of sessions may use it, one at a time or side by side."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    def session(self, record: SessionRecord | None = None, **settings: Any) -> StreamingSession:
        """Open a streaming session.

        Parameters
        ----------
        record
            Where events and audio go; a new record by default.
        **settings
            Fields of `Settings`, such as ``temperature=0.3, top_k=3, seed=0``.
        """
        return StreamingSession(self.loaded, Settings.of(settings), record)

    def _repr_html_(self) -> str:
        loaded = self.loaded
        facts = {
            "revision": loaded.revision or "",
            "runs on": loaded.placement.line,
            "context": f"at most {loaded.positions:,} positions",
            "vocabulary": f"{loaded.decoder.vocabulary:,} tokens",
        }
        return facts_html(f"Model {loaded.name}", facts)

    def __repr__(self) -> str:
        pinned = f" @ {self.loaded.revision}" if self.loaded.revision else ""
        return f"<Model {self.loaded.name}{pinned} on {self.loaded.placement}>"


def load_model(
    name: str | Path = "tiny",
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    revision: str | None = None,
    *,
    quantize: str | None = None,
    compiled: bool = False,
    progress: Progress | bool = True,
) -> Model:
    """Load a checkpoint.

    Parameters
    ----------
    name
        `tiny` (embedded), a folder in the published layout, or a hub id such as `zhifeixie/AudioInteraction`.
    device, dtype
        `auto` or a name; see `model.placement.choose`.
    revision
        Branch, tag or commit of a hub repository; resolved to a commit, which `Model.loaded.revision` holds.
    quantize
        `int8` or `int4` stores the language model's matrices in that format (needs `ai_widgets[quant]`).
    compiled
        Compile the layers with `torch.compile`, which takes a while; where that does not work the model runs as it is,
        and the log says why.
    progress
        True: a bar for what takes long. False: nothing. Or a callable that gets the bytes that are done and all there
        are, first of a download, then of the weights; what it raises ends the loading and comes out of here.

    Raises
    ------
    CheckpointError, SettingError, NotEnoughMemoryError
    """
    # The model classes of transformers are imported on the way.
    with collector_paused():
        model = Model(load(name, device, dtype, quantize, revision, progress))
    if compiled:
        model.loaded.decoder.compile()
    return model


def expand_paths(paths: Iterable[str | Path]) -> list[Path]:
    """Files of a list of files and folders.

    A folder with `sequence.json` (a list of names) stands for these files in that order; any other folder for its audio
    files in the order of their names.
    """
    files: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            files += _folder_files(path)
        else:
            files.append(path)
    return files


def _folder_files(folder: Path) -> list[Path]:
    sequence = folder / SEQUENCE_FILE
    if not sequence.exists():
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in AUDIO_SUFFIXES)
        if not files:
            raise AudioError(f"The folder {folder} holds no audio files and no {SEQUENCE_FILE}.")
        return files
    try:
        names = json.loads(sequence.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AudioError(f"{sequence} is not valid JSON: {error}.") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise AudioError(f"{sequence} must be a list of file names.")
    return [folder / name for name in names]


def answer_files(
    session: StreamingSession, paths: Iterable[str | Path], *, floor: str = "clip", tail_silence: float = 1.0
) -> Iterator[Event]:
    """Events of a session that hears files one after the other; see `StreamingSession.stream_clip`.

    Every file is read before the first is heard, so that a bad one is known at once and costs nothing.
    """
    clips = [load_audio(path) for path in expand_paths(paths)]
    for clip in clips:
        yield from session.stream_clip(clip, floor=floor, tail_silence=tail_silence)


def run_inference(
    checkpoint_dir: str | Path = "checkpoints",
    audio_paths: Iterable[str | Path] = (),
    device: str | torch.device = "auto",
    *,
    dtype: str | torch.dtype = "auto",
    floor: str = "clip",
    tail_silence: float = 1.0,
    **settings: Any,
) -> SessionRecord:
    """The model card's call: run files through a checkpoint as the authors' offline runner does.

    Greedy, whole-clip floor, one growing context over all files, one second of silence after each. Settings given by
    name override that.

    Returns
    -------
    SessionRecord
        With `decisions`, `turns` and `text`.
    """
    if isinstance(audio_paths, (str, Path)):
        audio_paths = [audio_paths]
    session = load_model(checkpoint_dir, device, dtype).session(**{"greedy": True, "context": "stop", **settings})
    for _ in answer_files(session, audio_paths, floor=floor, tail_silence=tail_silence):
        pass
    return session.record
