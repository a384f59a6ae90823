"""A clip → what the model's `generate` takes; its answer → turns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    ProcessorMixin,
)

from ..audio.features import log_mel
from ..audio.intake import mono
from ..errors import AudioError, SettingError
from ..model.traits import CONFIG_KEY, Traits
from ..protocol import CHUNK_SAMPLES, MELS_PER_CHUNK, SAMPLE_RATE


class AudioInteractionProcessor(ProcessorMixin):  # type: ignore[misc]
    """A clip → what the model's `generate` takes; and its answer → turns.

    Parameters
    ----------
    tokenizer
        The checkpoint's.
    audio_interaction
        Its traits, as processor_config.json holds them.
    """

    tokenizer_class = "AutoTokenizer"

    def __init__(
        self, tokenizer: Any, audio_interaction: dict[str, Any] | None = None, chat_template: str | None = None
    ) -> None:
        super().__init__(tokenizer, chat_template=chat_template)
        self.audio_interaction = audio_interaction

    @property
    def traits(self) -> Traits:
        """Token table and framing."""
        return Traits.from_json(self.audio_interaction or {}, f"processor_config.json ({CONFIG_KEY})")

    def __call__(
        self,
        audio: npt.ArrayLike,
        sampling_rate: int,
        text: str | None = None,
        tail_silence: float = 1.0,
        return_tensors: str = "pt",
    ) -> BatchFeature:
        """Make the inputs for one clip.

        Parameters
        ----------
        audio
            Mono, or with channels (averaged): float in [-1, 1] or integer. It is padded to chunks of 0.4 s.
        sampling_rate
            Samples per second; other rates than 16,000 are resampled.
        text
            The system prompt; by default the checkpoint's.
        tail_silence
            Seconds of silence after the clip, in which the model can reply; the authors use 1.
        return_tensors
            `pt`: torch is what the model takes.

        Returns
        -------
        BatchFeature
            `input_ids` [1, n], the prefix; `input_features` float32 [1, chunks, 128, 40], log-mel with one floor for
            the clip and one for the silence, as the authors' offline runner has it.

        Raises
        ------
        AudioError
            An empty clip.
        SettingError
            A rate below 1, or another kind of tensor.
        """
        if return_tensors != "pt":
            raise SettingError(f"return_tensors must be 'pt', not {return_tensors!r}.")
        if sampling_rate < 1:
            raise SettingError(f"sampling_rate must be at least 1 Hz, not {sampling_rate!r}.")
        samples = mono(audio)
        if len(samples) == 0:
            raise AudioError("The clip holds no samples; give at least one.")
        if sampling_rate != SAMPLE_RATE:
            samples = soxr.resample(samples, sampling_rate, SAMPLE_RATE)
        silence = np.zeros(round(tail_silence * SAMPLE_RATE), np.float32)
        chunks = [_chunks(part) for part in (samples, silence) if len(part)]
        traits = self.traits
        prompt = self.tokenizer(traits.system_prompt if text is None else text, add_special_tokens=False).input_ids
        prefix = [prompt if name == "PROMPT" else [traits.tokens[name]] for name in traits.prefix]
        ids = torch.tensor([[token for part in prefix for token in part]])
        return BatchFeature({"input_ids": ids, "input_features": torch.cat(chunks)[None]})

    def post_process_turns(self, sequences: Tensor) -> list[list[dict[str, Any]]]:
        """Read the replies out of what `generate` returned.

        Parameters
        ----------
        sequences
            [clips, m].

        Returns
        -------
        list of list of dict
            For each clip its replies in order: `chunk` (0.4 s each, from 0) after which it was begun, `emotion` (a
            name, or None) and `text`.
        """
        return [self._turns(row) for row in sequences.tolist()]

    def _turns(self, row: list[int]) -> list[dict[str, Any]]:
        tokens, block = self.traits.tokens, self.traits.chunk
        due, begin, end = tokens[block[-1]], tokens["TEXT_BEGIN"], tokens["TEXT_END"]
        turns: list[dict[str, Any]] = []
        chunk = -1
        for place, token in enumerate(row[:-1]):
            chunk += token == due
            if token != due or row[place + 1] != begin:
                continue
            stop = row.index(end, place) if end in row[place:] else len(row)
            reply = row[place + 2 : stop]
            emotion = next((one.value for one, number in tokens.emotions.items() if reply[:1] == [number]), None)
            words = [one for one in reply if tokens.name(one) is None]
            text = self.tokenizer.decode(words, skip_special_tokens=True)
            turns.append({"chunk": chunk, "emotion": emotion, "text": text})
        return turns


def _chunks(samples: npt.NDArray[np.float32]) -> Tensor:
    """Compute the log-mel of a clip, padded to chunks: float32 [chunks, 128, 40]."""
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))
    mels = torch.from_numpy(log_mel(padded))
    return mels.reshape(len(mels), -1, MELS_PER_CHUNK).transpose(0, 1)
