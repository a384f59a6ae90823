"""A name → a loaded model: the embedded checkpoint, a folder, or a hub repository.

The folder's layout is that of the published release (PROTOCOL.md §5): LitGPT or Qwen2 weight names, either file name of
the encoder, the encoder's configuration nested in `qwen25OmniConfig/config.json`.
"""

from __future__ import annotations

import json
import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer
from tqdm.auto import tqdm

from ..errors import CheckpointError
from .decoder import ATTENTION, Decoder
from .encoder import Encoder
from .placement import Placement, intra_op_threads, threads_for
from .sampling import SamplingRule
from .traits import Traits, read_traits
from .weights import TOWER_OPTIONAL, fill, read_language_model, read_tower, weight_files

logger = logging.getLogger(__name__)

EMBEDDED = "tiny"
ENCODER_FILES = ("audiointeraction_ChunkwisedEncoder.pth", "MiniOmni3_ChunkwisedEncoder.pth")
ENCODER_CONFIG = "qwen25OmniConfig/config.json"
REFUSALS = (401, 403, 404)
"""Answers of the hub that will be the same next time; after any other the local cache may serve."""
HUB_PATTERNS = ("*.safetensors", "*.json", "*.yaml", "*ChunkwisedEncoder.pth")
PROGRESS_FROM = 200_000_000
"""Bytes of weights from which loading shows a progress bar."""


@dataclass(frozen=True)
class LanguageModelShape:
    """Sizes of the language model, whichever configuration file they came from."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    mlp: int
    positions: int
    rope_base: float
    norm_eps: float
    tied: bool


@dataclass(frozen=True)
class LoadedModel:
    """Everything a session needs of a checkpoint. Immutable; any number of sessions share one.

    Attributes
    ----------
    name
        What was asked for: `tiny`, a folder or a hub id.
    threads
        torch threads inside an operation; None for torch's own choice.
    revision
        Commit of the hub repository; None for local folders.
    rule
        The checkpoint's own sampling defaults (its generation_config.json).
    positions
        Positions the language model was made for; no context is longer.
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

    def computing(self) -> AbstractContextManager[None]:
        """Around everything that computes with this model: as many torch threads as suit its size."""
        return intra_op_threads(self.threads)

    def encode_text(self, text: str) -> list[int]:
        """Token ids of a text, without anything added around it."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode_tokens(self, tokens: list[int]) -> str:
        """Text of token ids; special and emotion tokens are no text."""
        words = [token for token in tokens if self.traits.tokens.name(token) is None]
        text: str = self.tokenizer.decode(words, skip_special_tokens=True)
        return text

    def token_text(self, token: int) -> str:
        """What to call a single token: its special name, or its text."""
        return self.traits.tokens.name(token) or str(self.tokenizer.decode([token], skip_special_tokens=False))


def locate(name: str | Path, revision: str | None = None) -> tuple[Path, str | None]:
    """Folder of a checkpoint, and the commit it is pinned to if it comes from the hub.

    Parameters
    ----------
    name
        `tiny`, an existing folder, or a hub id `owner/name`.
    revision
        Branch, tag or commit of the hub repository. Whatever is given is resolved to a commit first, so that all files
        are of one state even if somebody pushes meanwhile.
    """
    if str(name) == EMBEDDED:
        folder = Path(str(resources.files("ai_widgets"))) / "tiny"
        if not (folder / "config.json").exists():
            raise CheckpointError("The embedded checkpoint is not in this installation; reinstall ai_widgets.")
        return folder, None
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder, None
    parts = str(name).split("/")
    if len(parts) != 2 or not all(parts) or str(name).startswith((".", "/", "~")):
        raise CheckpointError(
            f"There is no checkpoint {str(name)!r}: give tiny, an existing folder, or a hub id such as "
            "zhifeixie/AudioInteraction."
        )
    return _download(str(name), revision)


def _download(repo: str, revision: str | None) -> tuple[Path, str | None]:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    commit = revision
    try:
        commit = HfApi().model_info(repo, revision=revision).sha or revision
        logger.info("%s is pinned to commit %s; pass revision=%r to get the same files again.", repo, commit, commit)
    except Exception as error:
        # Whatever HTTP library is below has connection errors of its own, with no common base.
        if isinstance(error, HfHubHTTPError) and error.response.status_code in REFUSALS:
            where = f" at revision {revision!r}" if revision else ""
            raise CheckpointError(f"The hub has no repository {repo!r}{where} that you may read.") from error
        # No connection, or a hub in trouble: what was downloaded before may still serve.
        logger.info("The hub was not reached (%s); looking for %s in the local cache.", error, repo)
    try:
        folder = snapshot_download(repo, revision=commit, allow_patterns=list(HUB_PATTERNS), tqdm_class=tqdm)
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"There is no folder {repo!r}; as a hub id it is not in the local cache, and the hub cannot be reached."
        ) from error
    except Exception as error:  # as above
        raise CheckpointError(
            f"Downloading {repo!r} stopped: {error}. Call again; what is complete is not fetched twice."
        ) from error
    return Path(folder), commit


def load(name: str | Path, placement: Placement, revision: str | None = None) -> LoadedModel:
    """Load a checkpoint onto its device.

    Raises
    ------
    CheckpointError
        Says which file or tensor is missing or does not fit.
    """
    folder, commit = locate(name, revision)
    traits = read_traits(folder)
    shape = read_shape(folder)
    if traits.tokens.highest >= shape.vocabulary:
        raise CheckpointError(
            f"{folder}: special token {traits.tokens.highest} lies outside the vocabulary of {shape.vocabulary}; a "
            "checkpoint with ids of its own needs an audio_interaction.json."
        )
    decoder = Decoder(_language_model(folder, shape, placement), traits.rope_positions)
    encoder = Encoder(_tower(folder, shape.width, placement))
    parameters = sum(p.numel() for module in (decoder.model, encoder.tower) for p in module.parameters())
    return LoadedModel(
        str(name),
        commit,
        encoder,
        decoder,
        _tokenizer(folder),
        traits,
        _rule(folder),
        shape.positions,
        placement,
        threads_for(parameters, placement.device),
    )


def read_shape(folder: Path) -> LanguageModelShape:
    """Sizes of the language model from `model_config.yaml` (LitGPT) or `config.json` (Qwen2)."""
    litgpt, qwen2 = folder / "model_config.yaml", folder / "config.json"
    try:
        if litgpt.exists():
            c = yaml.safe_load(litgpt.read_text(encoding="utf-8"))
            heads = int(c["n_head"])
            return LanguageModelShape(
                int(c["padded_vocab_size"]),
                int(c["n_embd"]),
                int(c["n_layer"]),
                heads,
                int(c.get("n_query_groups") or heads),
                int(c.get("head_size") or c["n_embd"] // heads),
                int(c["intermediate_size"]),
                int(c["block_size"]),
                float(c["rope_base"]),
                float(c["norm_eps"]),
                False,
            )
        c = json.loads(qwen2.read_text(encoding="utf-8"))
        heads = int(c["num_attention_heads"])
        base = c.get("rope_theta") or (c.get("rope_parameters") or {})["rope_theta"]
        return LanguageModelShape(
            int(c["vocab_size"]),
            int(c["hidden_size"]),
            int(c["num_hidden_layers"]),
            heads,
            int(c.get("num_key_value_heads") or heads),
            int(c.get("head_dim") or c["hidden_size"] // heads),
            int(c["intermediate_size"]),
            int(c["max_position_embeddings"]),
            float(base),
            float(c["rms_norm_eps"]),
            bool(c.get("tie_word_embeddings", False)),
        )
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} is no checkpoint: it has neither model_config.yaml nor config.json."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        source = litgpt if litgpt.exists() else qwen2
        raise CheckpointError(f"{source} is no usable model configuration: {error!r}.") from error


def _language_model(folder: Path, shape: LanguageModelShape, placement: Placement) -> Any:
    from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
    from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM, Qwen2RotaryEmbedding

    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head_size,
        max_position_embeddings=shape.positions,
        rms_norm_eps=shape.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
        tie_word_embeddings=False,
        attn_implementation=ATTENTION,
    )
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    files = weight_files(folder)
    size = sum(file.stat().st_size for file in set(files.values()))
    tied = shape.tied and "lm_head.weight" not in files
    with tqdm(total=size, unit="B", unit_scale=True, desc="weights", disable=size < PROGRESS_FROM) as bar:
        fill(
            model,
            read_language_model(files, shape.heads * shape.head_size, shape.key_heads * shape.head_size),
            source=str(folder),
            device=placement.device,
            dtype=placement.dtype,
            optional=("lm_head.weight",) if tied else (),
            progress=bar.update,
        )
    if tied:
        model.lm_head.weight = model.model.embed_tokens.weight
    # Its frequencies are computed, not loaded, and must not stay on the meta device.
    model.model.rotary_emb = Qwen2RotaryEmbedding(config).to(placement.device)
    return model


def _tower(folder: Path, width: int, placement: Placement) -> Any:
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
        Qwen2_5OmniAudioEncoder,
        SinusoidsPositionEmbedding,
    )

    source = folder / ENCODER_CONFIG
    try:
        values: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))["thinker_config"]["audio_config"]
        config = Qwen2_5OmniAudioEncoderConfig(**values)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} lacks the encoder's configuration {ENCODER_CONFIG}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{source} holds no usable thinker_config.audio_config: {error!r}.") from error
    if config.output_dim != width:
        raise CheckpointError(f"The encoder's frames have width {config.output_dim}, the language model needs {width}.")
    path = next((folder / name for name in ENCODER_FILES if (folder / name).exists()), None)
    if path is None:
        raise CheckpointError(f"{folder} lacks the encoder's weights, {' or '.join(ENCODER_FILES)}.")
    with torch.device("meta"):
        tower = Qwen2_5OmniAudioEncoder._from_config(config)
    tower.audio_bos_eos_token = torch.nn.Identity()
    fill(
        tower,
        iter(read_tower(path).items()),
        source=str(path),
        device=placement.device,
        dtype=placement.dtype,
        optional=TOWER_OPTIONAL,
    )
    tower.positional_embedding = SinusoidsPositionEmbedding(config.max_source_positions, config.d_model)
    return tower.to(placement.device)


def _tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.exists():
        raise CheckpointError(f"{folder} lacks tokenizer.json.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises bare Exception for every malformed file
        raise CheckpointError(f"{path} is no usable tokenizer: {error}.") from error


def _rule(folder: Path) -> SamplingRule:
    path = folder / "generation_config.json"
    if not path.exists():
        return SamplingRule()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return SamplingRule(
            temperature=float(values.get("temperature") or 1.0),
            top_k=int(values["top_k"]) if values.get("top_k") else None,
            top_p=float(values.get("top_p") or 1.0),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no usable generation configuration: {error}.") from error
