"""The front door: load a model, open a session, run files through it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

from .audio.clip_features import Progress
from .audio.files import LONGEST_S, open_audio
from .audio.folders import audio_in, skipped_words
from .errors import AudioError, AudioWarning, CheckpointWarning
from .model.checkpoint import LoadedModel, load
from .model.hub import Progress as LoadProgress
from .process_exit import computation
from .protocol import Event
from .record.record import SessionRecord
from .record.transcript import facts_html
from .session.session import StreamingSession
from .settings import Settings

if TYPE_CHECKING:
    import torch

SEQUENCE_FILE = "sequence.json"


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
    progress: LoadProgress | bool = True,
) -> Model:
    """Load a checkpoint, or share it where it is loaded already.

    While a model of the same files, device, dtype, quantisation and compilation is in use anywhere in the process, its
    weights are used again. Any thread may call this.

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

    Returns
    -------
    Model
        Its weights are freed when no model, session or widget uses them any more.

    Raises
    ------
    CheckpointError
        What is missing or does not fit. `HubError` and its subclasses: why a repository was not downloaded.
    SettingError, NotEnoughMemoryError

    Warns
    -----
    CheckpointWarning
        Where the checkpoint says nothing of how it is to be sampled.

    Examples
    --------
    >>> import ai_widgets as aiw
    >>> first, second = aiw.load_model("tiny", device="cpu"), aiw.load_model("tiny", device="cpu")
    >>> first.loaded is second.loaded
    True
    """
    with computation():
        loaded = load(name, device, dtype, quantize, revision, progress, compiled=compiled)
    for note in loaded.notes:
        warn(note, CheckpointWarning, stacklevel=2)
    return Model(loaded)


def _warn(sentence: str) -> None:
    warnings.warn(sentence, AudioWarning, stacklevel=4)


def expand_paths(paths: Iterable[str | Path], tell: Callable[[str], None] = _warn) -> list[Path]:
    """Files of a list of files and folders.

    A folder with `sequence.json` (a list of names) stands for these files in that order; any other folder for its sound
    files in the order of their names.

    Parameters
    ----------
    paths
        Files and folders.
    tell
        Gets a sentence about the files of a folder that are left out; by default it is an `AudioWarning`.
    """
    files: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            files += _folder_files(path, tell)
        else:
            files.append(path)
    return files


def _folder_files(folder: Path, tell: Callable[[str], None]) -> list[Path]:
    sequence = folder / SEQUENCE_FILE
    if not sequence.exists():
        files, skipped = audio_in(folder)
        if not files:
            others = f" ({skipped_words(folder, skipped)})" if skipped else ""
            raise AudioError(f"The folder {folder} holds no audio files and no {SEQUENCE_FILE}{others}.")
        if skipped:
            tell(skipped_words(folder, skipped))
        return files
    try:
        names = json.loads(sequence.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AudioError(f"{sequence} is not valid JSON: {error}.") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise AudioError(f"{sequence} must be a list of file names.")
    return [folder / name for name in names]


def answer_files(
    session: StreamingSession,
    paths: Iterable[str | Path],
    *,
    floor: str = "clip",
    tail_silence: float = 1.0,
    longest_s: float | None = LONGEST_S,
    begin: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """Events of a session that hears files one after the other; see `StreamingSession.play`.

    Every file is opened before the first is heard, so that a bad one is known at once and costs nothing. None is held
    in memory.

    Parameters
    ----------
    session
        Hears them.
    paths
        Files and folders; see `expand_paths`.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    begin
        Called with each file before its first event.
    progress
        Gets the seconds of the file that were measured for the floor of the whole clip, and all there are.
    """
    files = expand_paths(paths)
    check_files(files, longest_s)
    for path in files:
        if begin is not None:
            begin(path)
        yield from session.stream_file(
            path, floor=floor, tail_silence=tail_silence, longest_s=longest_s, progress=progress
        )


def check_files(paths: Iterable[Path], longest_s: float | None = LONGEST_S) -> None:
    """Open each file and decode its first moment; raises `AudioError` where that cannot be done."""
    for path in paths:
        with open_audio(path, longest_s=longest_s) as reader:
            next(reader)


def run_inference(
    checkpoint_dir: str | Path = "checkpoints",
    audio_paths: Iterable[str | Path] = (),
    device: str | torch.device = "auto",
    *,
    dtype: str | torch.dtype = "auto",
    floor: str = "clip",
    tail_silence: float = 1.0,
    longest_s: float | None = LONGEST_S,
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
    # Known before the model is loaded, which may take minutes.
    files = expand_paths(audio_paths)
    check_files(files, longest_s)
    model = load_model(checkpoint_dir, device, dtype)
    with model.session(**{"greedy": True, "context": "stop", **settings}) as session:
        for _ in answer_files(session, files, floor=floor, tail_silence=tail_silence, longest_s=longest_s):
            pass
    return session.record
