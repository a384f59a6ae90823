"""Entry points of the package: load a model, open a session, run audio files through the session."""

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
from .session.replay import TOLERANCE, Replay, replay, rerun
from .session.session import StreamingSession
from .settings import Settings

if TYPE_CHECKING:
    import torch

SEQUENCE_FILE = "sequence.json"
"""File in a folder of audio that lists the names of the files to play, in order."""


class Model:
    """Loaded checkpoint, shared by any number of sessions, in turn or concurrently.

    Attributes
    ----------
    loaded
        Encoder, decoder, tokenizer and traits.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    def session(self, record: SessionRecord | None = None, **settings: Any) -> StreamingSession:
        """Open a streaming session.

        Parameters
        ----------
        record
            Record that receives the events and the audio; a new record by default.
        **settings
            Fields of `Settings`, such as ``temperature=0.3, top_k=3, seed=0``.

        Raises
        ------
        SettingError
            If a setting is unknown, has a value that is not allowed, or leaves the context too short for one chunk.

        Examples
        --------
        >>> with model.session(seed=0) as session:
        ...     events = session.push(samples, rate=48_000)
        """
        return StreamingSession(self.loaded, Settings.of(settings), record)

    def replay(self, record: SessionRecord, tolerance: float = TOLERANCE) -> Replay:
        """Hear a record again from its first chunk, and compare every decision, token and reply.

        Changed settings, interrupts, forced decisions and failures happen again at the same chunk and token.

        Parameters
        ----------
        record
            Record with all of its audio; it is not changed.
        tolerance
            Largest absolute difference of a logit or a probability that counts as the same. Tokens, random numbers,
            texts and positions must be equal.

        Returns
        -------
        Replay
            `reproduced`, `first_difference` and the new `record`. Cost: that of the session.

        Raises
        ------
        SessionError, SettingError
            If the record lacks settings or audio, or holds several sessions; if this model cannot have its settings.
        """
        return replay(self.loaded, record, tolerance)

    def rerun(self, record: SessionRecord) -> StreamingSession:
        """Return a session in which the audio of a record is pending; raises what `replay` raises.

        Examples
        --------
        >>> model.rerun(SessionRecord.load("talk.aiw")).fork(12, bias=0.5).run_on()
        """
        return StreamingSession.around(self.loaded, *rerun(self.loaded, record))

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
    """Load a checkpoint, or share its weights if the process already uses the same files in the same configuration.

    Weights are shared between models of the same files, device, dtype, quantisation and compilation. Thread-safe.

    Parameters
    ----------
    name
        `tiny` (embedded in the package), a folder in the published layout, or a hub id such as
        `zhifeixie/AudioInteraction`.
    device, dtype
        `auto` or a name; see `model.placement.choose`.
    revision
        Branch, tag or commit of a hub repository. The resolved commit is `Model.loaded.revision`.
    quantize
        `int8` or `int4`: store the language model's matrices in that format (needs `ai_widgets[quant]`).
    compiled
        Compile the feed-forward layers with `torch.compile`; the first steps take longer. If compiling fails, the model
        runs uncompiled and the log names the reason.
    progress
        True: show a progress bar for slow steps. False: show nothing. Callable: receives the bytes done and the total
        bytes, first of the download, then of the weights; an exception from the callable ends the loading and is
        raised again.

    Returns
    -------
    Model
        The weights are freed when no model, session or widget refers to them.

    Raises
    ------
    CheckpointError
        If the checkpoint is not found, or a file is missing or does not match. `HubError`: a failed download.
    SettingError
        If `device`, `dtype` or `quantize` is unknown or not available on this machine.
    NotEnoughMemoryError
        If the device has less free memory than the model needs.

    Warns
    -----
    CheckpointWarning
        If the checkpoint names no sampling settings, so that the model card's are used.

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
    """Expand a list of files and folders to a list of files.

    A folder with `sequence.json` (a list of names) is replaced by the named files in that order; any other folder by
    its audio files, sorted by name.

    Parameters
    ----------
    paths
        Files and folders.
    tell
        Receives a sentence about the files of a folder that are skipped; by default an `AudioWarning` is issued.

    Raises
    ------
    AudioError
        If a folder contains no audio files, or its `sequence.json` is not a list of file names.
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
            raise AudioError(f"The folder {folder} contains no audio files and no {SEQUENCE_FILE}{others}.")
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
    """Play files to a session one after the other and yield the events; see `StreamingSession.play`.

    Every file is opened once before the first file is played, so that an unreadable file is reported before any
    computation. Files are decoded in pieces; memory does not depend on their length.

    Parameters
    ----------
    session
        Session that receives the audio.
    paths
        Files and folders; see `expand_paths`.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    begin
        Called with each file before its first event.
    progress
        Receives the seconds measured for the floor of a whole clip, and the total seconds if known.

    Yields
    ------
    Event
        Each event as soon as it is known.

    Raises
    ------
    AudioError
        If a file cannot be read.
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
    """Open each file and decode its first block, to report an unreadable file early.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
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
    """Run audio files through a checkpoint with the settings of the authors' offline runner (the model card's call).

    The defaults are greedy decoding, the log-mel floor of the whole clip, one context for all files, and one second of
    silence after each file.

    Parameters
    ----------
    checkpoint_dir
        `tiny`, a folder, or a hub id; see `load_model`.
    audio_paths
        Files and folders; see `expand_paths`.
    device, dtype
        See `load_model`.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    **settings
        Fields of `Settings`; they override the defaults.

    Returns
    -------
    SessionRecord
        Events of all files, with the tables `decisions` and `turns`, and the replies as `text`.

    Raises
    ------
    AudioError
        If a file cannot be read; raised before the model is loaded.
    CheckpointError, SettingError, NotEnoughMemoryError
        As in `load_model` and `Model.session`.

    Examples
    --------
    >>> record = run_inference("tiny", ["question.wav"])
    >>> record.turns[["start_s", "text"]]
    """
    if isinstance(audio_paths, (str, Path)):
        audio_paths = [audio_paths]
    # Checked before the model is loaded, which may take minutes.
    files = expand_paths(audio_paths)
    check_files(files, longest_s)
    model = load_model(checkpoint_dir, device, dtype)
    with model.session(**{"greedy": True, "context": "stop", **settings}) as session:
        for _ in answer_files(session, files, floor=floor, tail_silence=tail_silence, longest_s=longest_s):
            pass
    return session.record
