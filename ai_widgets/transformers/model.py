"""Qwen2 with an audio tower, as a model class of transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.generation.utils import GenerateDecoderOnlyOutput
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM, Qwen2RotaryEmbedding
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from ..model.configuration import TOWER_KEY
from ..model.tower import encode_chunks
from ..model.traits import CONFIG_KEY, MODEL_TYPE, Traits
from ..protocol import FRAMES_PER_CHUNK
from .generation import Hearing


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
    """Qwen2 with an audio tower, whose frames replace the PAD tokens."""

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
        """Compute the logits of a sequence; options and return value are those of `Qwen2ForCausalLM`.

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
        """Process one clip chunk by chunk: decide after each chunk, and reply if TEXT_BEGIN was drawn.

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
        hearing = Hearing(self, input_ids[0].tolist(), options)
        hearing.hear(input_features)
        sequences = torch.tensor([hearing.sequence], device=self.device)
        if not return_dict:
            return sequences
        return GenerateDecoderOnlyOutput(sequences=sequences, logits=tuple(hearing.logits) if keep_logits else None)
