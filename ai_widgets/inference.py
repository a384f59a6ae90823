"""Entry points of the package: load a model, open a session, run audio files through the session."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

from .audio.files import LONGEST_S
from .audio.folders import check_files, expand_paths
from .errors import CheckpointWarning
from .model.checkpoint import load
from .model.decoder import Decoder
from .model.encoder import Encoder
from .model.hub import Progress as LoadProgress
from .model.placement import Placement
from .model.sampling import SamplingRule
from .model.threads import intra_op_threads
from .model.traits import Traits
from .process_exit import computation
from .protocol import CHUNK_SECONDS, Decision
from .record.bars import bar_of_seconds
from .record.record import SessionRecord
from .record.transcript import facts_html
from .session.answer_files import answer_files
from .session.answering import Answering
from .session.framing import Framing
from .session.perceive import LogMelStream
from .session.replay import TOLERANCE, Replay, replay, rerun
from .session.session import StreamingSession
from .session.turns import TurnTaking
from .settings import Settings

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer


@dataclass(frozen=True, eq=False, repr=False)
class Model(Answering):
    """Loaded checkpoint, immutable and shared by any number of sessions, in turn or concurrently.

    Made by `load_model`. It satisfies the interfaces `model.interfaces.LanguageModel` and
    `session.listening.ListeningModel`, on which sessions, the widget and the evaluation depend.

    Attributes
    ----------
    name
        Name as given: `tiny`, a folder or a hub id.
    revision
        Commit of the hub repository; None for a local folder.
    encoder, decoder, tokenizer
        Audio encoder, language model and tokenizer.
    traits
        Training-dependent facts of the checkpoint.
    rule
        Sampling defaults of the checkpoint (generation_config.json).
    positions
        Maximum number of context positions, from the language model's configuration.
    placement
        Device and number format.
    threads
        Number of torch's intra-op threads; None for torch's default.
    notes
        Sentences about missing parts of the checkpoint and their replacements.
    """

    name: str
    revision: str | None
    encoder: Encoder
    decoder: Decoder
    tokenizer: Tokenizer
    traits: Traits
    rule: SamplingRule
    positions: int
    placement: Placement
    threads: int | None = None
    notes: tuple[str, ...] = ()

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
        return StreamingSession(self, Settings.of(settings), record)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Run a block that computes with this model: set the intra-op threads, and delay process exit until its end."""
        with computation(), intra_op_threads(self.threads):
            yield

    def encode_text(self, text: str) -> list[int]:
        """Encode a text to token ids, without special tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode_tokens(self, tokens: list[int]) -> str:
        """Decode token ids to text; special and emotion tokens are skipped."""
        words = [token for token in tokens if self.traits.tokens.name(token) is None]
        text: str = self.tokenizer.decode(words, skip_special_tokens=True)
        return text

    def token_text(self, token: int) -> str:
        """Return the special name of a token, or its text."""
        return self.traits.tokens.name(token) or str(self.tokenizer.decode([token], skip_special_tokens=False))

    # As `ListeningModel` --------------------------------------------------------------------------------------------

    @property
    def language(self) -> Model:
        """The model itself: it has tokens, logits and a context."""
        return self

    @property
    def detail(self) -> str:
        """Placement, and the notes about missing parts of the checkpoint."""
        return " · ".join([str(self.placement), *self.notes])

    def framing(self, settings: Settings) -> Framing:
        """Compute the tokens around the audio of a session; `SettingError` if its context is too short."""
        return Framing.of(self, settings)

    def open_stream(self) -> LogMelStream:
        """Create the perception of a new live stream."""
        return LogMelStream(self)

    def take_turns(self, settings: Settings) -> TurnTaking:
        """Create the steps decide and respond of a new session; `SettingError` if its context is too short."""
        return TurnTaking(self, settings)

    def renamed(self, name: str, revision: str | None) -> Model:
        """Return the model with the same weights under another name of the same files, such as a relative path."""
        return replace(self, name=name, revision=revision)

    def replay(self, record: SessionRecord, tolerance: float = TOLERANCE, *, progress: bool = True) -> Replay:
        """Replay a record from its first chunk, and compare every decision, token and reply.

        Changed settings, interrupts, forced decisions and failures happen again at the same chunk and token.

        Parameters
        ----------
        record
            Record with all of its audio; it is not changed.
        tolerance
            Largest absolute difference of a logit or a probability that counts as the same. Tokens, random numbers,
            texts and positions must be equal.
        progress
            Whether a bar with the time left is shown where the replay takes longer than two seconds.

        Returns
        -------
        Replay
            `reproduced`, `first_difference` and the new `record`. Cost: that of the session.

        Raises
        ------
        SessionError, SettingError
            If the record lacks settings or audio, or holds several sessions; if this model cannot have its settings.

        Examples
        --------
        >>> model.replay(SessionRecord.load("talk.aiw")).reproduced
        True
        """
        with bar_of_seconds(record.chunks_heard * CHUNK_SECONDS, "replaying", shown=progress) as bar:
            return replay(self, record, tolerance, lambda heard: bar.update(heard * CHUNK_SECONDS - bar.n))

    def rerun(self, record: SessionRecord) -> StreamingSession:
        """Return a session in which the audio of a record is pending; raises what `replay` raises.

        Examples
        --------
        >>> model.rerun(SessionRecord.load("talk.aiw")).fork(12, bias=0.5).run_on()
        """
        return StreamingSession.around(self, *rerun(self, record))

    def _repr_html_(self) -> str:
        facts = {
            "revision": self.revision or "",
            "runs on": self.placement.line,
            "context": f"at most {self.positions:,} positions",
            "vocabulary": f"{self.decoder.vocabulary:,} tokens",
        }
        return facts_html(f"Model {self.name}", facts)

    def __repr__(self) -> str:
        pinned = f" @ {self.revision}" if self.revision else ""
        return f"<Model {self.name}{pinned} on {self.placement}>"


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
        Branch, tag or commit of a hub repository. The resolved commit is `Model.revision`.
    quantize
        `int8` or `int4`: store the language model's matrices in that format (needs `ai_widgets[quant]`).
    compiled
        Compile the feed-forward layers with `torch.compile`; the first steps take longer. `ai-widgets bench --compile`
        shows whether later ones are faster, which they need not be (docs/hardware.md). If compiling fails, the model
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
        If the device has less free memory than the model needs; raised before weights are downloaded or read.

    Warns
    -----
    CheckpointWarning
        If the checkpoint names no sampling settings, so that the model card's are used.

    Examples
    --------
    >>> import ai_widgets as aiw
    >>> first, second = aiw.load_model("tiny", device="cpu"), aiw.load_model("tiny", device="cpu")
    >>> first is second
    True
    """
    with computation():
        model = load(Model, name, device, dtype, quantize, revision, progress, compiled=compiled)
    for note in model.notes:
        warn(note, CheckpointWarning, stacklevel=2)
    return model


def run_inference(
    checkpoint_dir: str | Path = "checkpoints",
    audio_paths: Iterable[str | os.PathLike[str]] = (),
    device: str | torch.device = "auto",
    *,
    dtype: str | torch.dtype = "auto",
    floor: str = "clip",
    tail_silence: float = 1.0,
    longest_s: float | None = LONGEST_S,
    progress: bool = True,
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
        Files, folders and clips; see `expand_paths`.
    device, dtype
        See `load_model`.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    progress
        Whether a bar with the time left is shown where this takes longer than two seconds.
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
    if isinstance(audio_paths, (str, os.PathLike)):
        audio_paths = [audio_paths]
    # Checked before the model is loaded, which may take minutes.
    files = expand_paths(audio_paths)
    seconds = check_files(files, longest_s)
    total = None if seconds is None else seconds + len(files) * tail_silence
    model = load_model(checkpoint_dir, device, dtype, progress=progress)
    with (
        model.session(**{"greedy": True, "context": "stop", **settings}) as session,
        bar_of_seconds(total, "listening", shown=progress) as bar,
    ):
        for event in answer_files(session, files, floor=floor, tail_silence=tail_silence, longest_s=longest_s):
            if isinstance(event, Decision):
                bar.update(CHUNK_SECONDS)
    return session.record
