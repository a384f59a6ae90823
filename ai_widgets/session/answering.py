"""`Answering`: the offline tasks of a model that hears a whole clip at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from ..audio.features import Array, log_mel
from ..errors import SettingError
from ..model.interfaces import LanguageModel
from ..settings import Settings
from .answer import ANSWER_SETTINGS, MOST_TOKENS, Answer, language_token, offline_prompt
from .whole_clip import whole_clip

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor


class ClipEncoder(Protocol):
    """Encoder that also encodes a clip as one piece."""

    def encode(self, mels: Array) -> Tensor:
        """Encode chunks independently; see `AudioEncoder.encode`."""

    def encode_clip(self, mels: Array) -> Tensor:
        """Encode log-mel features [128, 40 · chunks] as one piece, to frames [10 · chunks, width]."""


class ClipModel(LanguageModel, Protocol):
    """Language model whose encoder also takes whole clips."""

    @property
    def encoder(self) -> ClipEncoder:
        """Audio encoder."""


class Answering:
    """Base class of `Model` with `answer`."""

    def answer(
        self: ClipModel,
        audio: str | os.PathLike[str] | BinaryIO | npt.ArrayLike,
        text: str | None = None,
        *,
        rate: int | None = None,
        language: str = "english",
        max_tokens: int = MOST_TOKENS,
        **settings: Any,
    ) -> Answer:
        """Answer one clip of at most 20 s: transcribe it, translate it, or answer a question about it.

        These are the offline tasks of the model card (docs/protocol.md §4): the clip is heard as a whole, and every
        token follows from it and the text. The embedded checkpoint was not trained on them.

        Parameters
        ----------
        audio
            What `load_audio` takes (a file, ``"clip:digit"``), or samples.
        text
            Request or question, such as ``"Transcribe the audio."``; None for none.
        rate
            Sample rate of samples in Hz; None: 16 kHz.
        language
            Language token at the start of the sequence. The published checkpoint has `english`.
        max_tokens
            Maximum number of tokens.
        **settings
            Of the session's settings `greedy`, `temperature`, `top_k`, `top_p`, `seed`, `alternatives` and
            `system_prompt`.

        Returns
        -------
        Answer
            Iterate for the tokens as they are drawn; `text` is the whole answer.

        Raises
        ------
        AudioError, AudioTooLongError
            If the clip cannot be read, or is longer than 20 s.
        SettingError
            If a setting is unknown, or the checkpoint has no token for the language.

        Examples
        --------
        >>> for token in model.answer("question.wav", "What is asked?", greedy=True):
        ...     print(token.text, f"{token.p:.2f}")
        >>> model.answer(samples, "Transcribe the audio.", rate=48_000).text
        """
        for name in settings:
            if name not in ANSWER_SETTINGS:
                raise SettingError.unknown(name, ANSWER_SETTINGS)
        chosen = Settings.of(settings)
        samples = whole_clip(audio, rate)
        language_token(self, language)
        with self.computing():
            frames = self.encoder.encode_clip(log_mel(samples))
        prompt, frames_at = offline_prompt(self, len(frames), text, language, chosen.system_prompt)
        return Answer(self, frames, prompt, frames_at, chosen, max_tokens)
