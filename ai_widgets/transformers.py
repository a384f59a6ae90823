"""Converted checkpoints in transformers' own auto classes: ``import ai_widgets.transformers`` registers one model type.

    import ai_widgets.transformers
    from transformers import AutoModelForMultimodalLM, AutoProcessor

    processor = AutoProcessor.from_pretrained("converted")
    model = AutoModelForMultimodalLM.from_pretrained("converted")
    inputs = processor(audio=samples, sampling_rate=16_000)
    sequence = model.generate(**inputs)
    processor.post_process_turns(sequence)   # [[{"chunk": 4, "emotion": "happy", "text": "Hello."}]]

`ai-widgets convert` writes such a folder. The published release itself does not load this way: its config.json says
`qwen2`, which knows no audio, and its weights have LitGPT's names, so `from_pretrained` fills a model with random
numbers or refuses the type.

Nothing but `audio_interaction` is registered, and no code of a checkpoint is run (`trust_remote_code` is not needed).
Sequence and numerics: docs/protocol.md §3 and §6 (`docs/protocol.md`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMultimodalLM,
    AutoProcessor,
    AutoTokenizer,
    BatchFeature,
    DynamicCache,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)
from transformers.generation.utils import GenerateDecoderOnlyOutput
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM, Qwen2RotaryEmbedding
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from .audio.features import log_mel
from .audio.intake import mono
from .errors import AudioError, SettingError
from .model.configuration import TOWER_KEY
from .model.sampling import Distribution, SamplingRule, draw
from .model.tower import encode_chunks
from .model.traits import CONFIG_KEY, MODEL_TYPE, Traits
from .protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK, MELS_PER_CHUNK, SAMPLE_RATE
from .settings import CARD_MAX_NEW_TOKENS


class AudioInteractionConfig(Qwen2Config):  # type: ignore[misc]
    """Qwen2's configuration, with the traits and the audio tower's configuration under `audio_interaction`."""

    model_type = MODEL_TYPE

    audio_interaction: dict[str, Any] | None = None

    @property
    def traits(self) -> Traits:
        """Token table, framing and rounding of positions."""
        return Traits.from_json(self.audio_interaction or {}, f"config.json ({CONFIG_KEY})")


class RoundedRotaryEmbedding(Qwen2RotaryEmbedding):  # type: ignore[misc]
    """RoPE at positions that float16 has rounded, as the published weights were trained (docs/protocol.md §6)."""

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        rounded: tuple[Tensor, Tensor] = super().forward(x, position_ids.to(torch.float16).to(position_ids.dtype))
        return rounded


class AudioInteractionForConditionalGeneration(Qwen2ForCausalLM):  # type: ignore[misc]
    """Qwen2 with an audio tower: log-mel chunks stand where PAD tokens are."""

    config_class = AudioInteractionConfig

    def __init__(self, config: AudioInteractionConfig) -> None:
        super().__init__(config)
        tower = Qwen2_5OmniAudioEncoderConfig(**(config.audio_interaction or {})[TOWER_KEY])
        self.audio_tower = Qwen2_5OmniAudioEncoder._from_config(tower)
        # Belongs to prompts of another model; no chunk's encoding uses it.
        self.audio_tower.audio_bos_eos_token = nn.Identity()
        if config.traits.rope_positions == "float16":
            self.model.rotary_emb = RoundedRotaryEmbedding(config)
        self.post_init()

    def encode_audio(self, input_features: Tensor) -> Tensor:
        """Encode log-mel chunks, each on its own.

        Parameters
        ----------
        input_features
            [batch, chunks, 128, 40].

        Returns
        -------
        Tensor [batch, chunks · 10, width]
        """
        tower = next(self.audio_tower.parameters())
        mels = input_features.flatten(0, 1).to(tower.device, tower.dtype)
        return encode_chunks(self.audio_tower, mels).reshape(len(input_features), -1, self.config.hidden_size)

    def forward(
        self,
        input_ids: Tensor | None = None,
        input_features: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """Logits of a sequence; the options and what is returned are those of `Qwen2ForCausalLM`.

        Parameters
        ----------
        input_ids
            [batch, positions]; ten PADs for each chunk.
        input_features
            [batch, chunks, 128, 40]; their frames replace the embeddings of the PADs, in order.
        inputs_embeds
            Instead of both.

        Raises
        ------
        ValueError
            Where the PADs are not ten for each chunk.
        """
        if input_features is None:
            return super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **options)
        if input_ids is None:
            raise ValueError("input_features need input_ids, whose PADs say where they stand.")
        slots = input_ids == self.config.traits.tokens["PAD"]
        frames = self.encode_audio(input_features)
        if (slots.sum(1) != frames.shape[1]).any():
            raise ValueError(
                f"input_ids must hold {frames.shape[1]} PADs in each row, {FRAMES_PER_CHUNK} for each of "
                f"{input_features.shape[1]} chunks, not {slots.sum(1).tolist()}."
            )
        embedded = self.model.embed_tokens(input_ids).clone()
        embedded[slots] = frames.reshape(-1, frames.shape[-1]).to(embedded.device, embedded.dtype)
        return super().forward(inputs_embeds=embedded, **options)

    @torch.no_grad()
    def generate(self, input_ids: Tensor | None = None, input_features: Tensor | None = None, **options: Any) -> Any:
        """Hear one clip, chunk by chunk: decide after each, and reply where that was decided.

        The same loop, decisions and tokens as those of ``load_model(folder).session(context="stop")`` for the clip,
        with that session's seed and sampling. Without `input_features` it is transformers' own `generate`.

        Parameters
        ----------
        input_ids
            [1, n]: the prefix that the processor makes.
        input_features
            [1, chunks, 128, 40].
        **options
            `do_sample` (False: greedy), `temperature`, `top_k`, `top_p`, which are by default those of the generation
            configuration; `seed` (0), `max_new_tokens` (4096 decisions and tokens of replies, as the model card),
            `output_logits` and `return_dict_in_generate` (False).

        Returns
        -------
        Tensor [1, m]
            All tokens in order, those that were fed and those that were drawn; `post_process_turns` of the processor
            reads the replies. With `return_dict_in_generate` a `GenerateDecoderOnlyOutput`: `sequences` are these
            tokens and `logits`, with `output_logits`, one float32 [1, vocabulary] for each token drawn.

        Raises
        ------
        ValueError
            More than one clip, or an unknown option.
        """
        if input_features is None:
            return super().generate(input_ids, **options)
        if input_ids is None or len(input_ids) != 1 or len(input_features) != 1:
            raise ValueError("generate hears one clip: input_ids [1, n] and input_features [1, chunks, 128, 40].")
        return_dict = bool(options.pop("return_dict_in_generate", False))
        keep_logits = bool(options.pop("output_logits", False))
        hearing = _Hearing(self, input_ids[0].tolist(), options)
        hearing.hear(input_features)
        sequences = torch.tensor([hearing.sequence], device=self.device)
        if not return_dict:
            return sequences
        return GenerateDecoderOnlyOutput(sequences=sequences, logits=tuple(hearing.logits) if keep_logits else None)


class _Hearing:
    """One clip: what was fed and drawn so far, and the key/value cache."""

    def __init__(self, model: Any, prefix: list[int], options: dict[str, Any]) -> None:
        given = model.generation_config
        do_sample = options.pop("do_sample", None)
        self._rule = SamplingRule(
            greedy=not (given.do_sample if do_sample is None else do_sample),
            temperature=options.pop("temperature", None) or given.temperature or 1.0,
            top_k=options.pop("top_k", given.top_k) or None,
            top_p=options.pop("top_p", None) or given.top_p or 1.0,
        )
        self._generator = np.random.default_rng(options.pop("seed", 0))
        self._most = options.pop("max_new_tokens", None) or CARD_MAX_NEW_TOKENS
        if options:
            raise ValueError(f"generate knows no {', '.join(map(repr, options))} for a clip; see its docstring.")
        self._model, self._traits = model, model.config.traits
        self._cache = DynamicCache(config=model.config)
        self._next = prefix
        self._limit = model.config.max_position_embeddings
        self.sequence: list[int] = []
        self.logits: list[Tensor] = []

    def hear(self, input_features: Tensor) -> None:
        """Take all chunks, up to a limit of positions or tokens."""
        tokens = self._traits.tokens
        frames = [tokens["PAD"]] * FRAMES_PER_CHUNK
        parts = [frames if name == "FRAMES" else [tokens[name]] for name in self._traits.chunk]
        block = [token for part in parts for token in part]
        allowed = tokens["KEEP_SILENCE"], tokens["TEXT_BEGIN"]
        for chunk in range(input_features.shape[1]):
            if not self._room(len(self._next) + len(block)):
                break
            token = self._draw([*self._next, *block], input_features[:, chunk : chunk + 1], allowed)
            while token != tokens["KEEP_SILENCE"] and token != tokens["TEXT_END"] and self._room(1):
                token = self._draw([token])
            self._next = [token]
        self.sequence += self._next

    def _room(self, count: int) -> bool:
        return len(self.sequence) + count <= self._limit and len(self.logits) < self._most

    def _draw(self, fed: list[int], features: Tensor | None = None, allowed: tuple[int, ...] | None = None) -> int:
        """Feed tokens and draw the next one."""
        ids = torch.tensor([fed], device=self._model.device)
        given = self._model(ids, features, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits = given.logits[0, -1].float()
        self.sequence += fed
        self.logits.append(logits[None])
        return draw(Distribution(logits), self._rule, self._generator, allowed=allowed, likeliest=0).token


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
    """Log-mel of a clip, padded to chunks: float32 [chunks, 128, 40]."""
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))
    mels = torch.from_numpy(log_mel(padded))
    return mels.reshape(len(mels), -1, MELS_PER_CHUNK).transpose(0, 1)


AutoConfig.register(MODEL_TYPE, AudioInteractionConfig)
AutoModelForMultimodalLM.register(AudioInteractionConfig, AudioInteractionForConditionalGeneration)
AutoModelForCausalLM.register(AudioInteractionConfig, AudioInteractionForConditionalGeneration)
AutoProcessor.register(AudioInteractionConfig, AudioInteractionProcessor)
AutoTokenizer.register(AudioInteractionConfig, PreTrainedTokenizerFast)
