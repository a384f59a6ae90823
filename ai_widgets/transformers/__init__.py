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

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMultimodalLM,
    AutoProcessor,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from ..model.traits import MODEL_TYPE
from .model import AudioInteractionConfig, AudioInteractionForConditionalGeneration
from .processor import AudioInteractionProcessor

__all__ = ["AudioInteractionConfig", "AudioInteractionForConditionalGeneration", "AudioInteractionProcessor"]

AutoConfig.register(MODEL_TYPE, AudioInteractionConfig)
AutoModelForMultimodalLM.register(AudioInteractionConfig, AudioInteractionForConditionalGeneration)
AutoModelForCausalLM.register(AudioInteractionConfig, AudioInteractionForConditionalGeneration)
AutoProcessor.register(AudioInteractionConfig, AudioInteractionProcessor)
AutoTokenizer.register(AudioInteractionConfig, PreTrainedTokenizerFast)
