"""Tiny models whose towers have widths that the native kernels take, as checkpoints that `load` opens.

seeing_directory()                E2B's form, two layers a tower, bfloat16
seeing_directory(dtype="float32") the same numbers in float32
merged_directory()                12B's form: no towers, projections alone
"""

import atexit
import json
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_chat import tiny_chat_config

from gemma4.config import ModelConfig
from gemma4.config.huggingface.writer import write_config
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.tensors.entry import TensorEntry, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.text.tokens.packaged import packaged_tokenizer_json
from gemma4.weights.huggingface.names import checkpoint_name


def seeing_config(*, width: int = 64, layers: int = 2) -> ModelConfig:
    """E2B's form; both towers `width` wide."""
    tiny = tiny_chat_config()
    assert tiny.vision is not None
    assert tiny.audio is not None
    return replace(
        tiny,
        vision=replace(
            tiny.vision,
            hidden_size=width,
            intermediate_size=2 * width,
            num_layers=layers,
            head_dim=width // 2,
            position_embedding_size=128,
        ),
        audio=replace(tiny.audio, hidden_size=width, num_layers=layers, output_size=48),
    )


@cache
def seeing_directory(*, width: int = 64, layers: int = 2, dtype: str = "bfloat16") -> Path:
    """A checkpoint of E2B's form, random but the same every time."""
    return _written(seeing_config(width=width, layers=layers), dtype)


@cache
def merged_directory() -> Path:
    """A checkpoint of 12B's form in bfloat16."""
    published, text = PUBLISHED_MODELS["12b"], tiny_chat_config().text
    assert published.vision is not None
    text = replace(
        text,
        num_kv_shared_layers=0,
        per_layer_dim=0,
        per_layer_vocab_size=0,
        double_wide_mlp=False,
        bidirectional_media=published.text.bidirectional_media,
    )
    vision = replace(published.vision, hidden_size=64, position_embedding_size=32, output_size=64)
    return _written(replace(published, text=text, vision=vision), "bfloat16")


def _written(config: ModelConfig, dtype: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gemma4-seeing-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = replace(config, stored_dtype=dtype)
    generator = torch.Generator().manual_seed(6)
    weights = {
        checkpoint_name(entry.name, config.family): _random(entry, generator).to(
            getattr(torch, dtype)
        )
        for entry in tensor_table(config)
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(write_config(config)))
    (folder / "tokenizer.json").write_bytes(packaged_tokenizer_json())
    return folder


def _random(entry: TensorEntry, generator: torch.Generator) -> torch.Tensor:
    """Rounded to bfloat16; queries of a quarter of the size, so that attention is no lottery."""
    values = torch.randn(entry.shape, generator=generator)
    match entry.kind:
        case TensorKind.NORM | TensorKind.SCALE:
            values = (1 + 0.1 * values) * (0.25 if "q_norm" in entry.name else 1.0)
        case TensorKind.CLIP_BOUND:
            values = torch.tensor(-4.0 if entry.name.endswith("min") else 4.0)
        case TensorKind.EMBEDDING | TensorKind.PER_LAYER_TABLE:
            pass
        case _:
            values = values * entry.shape[-1] ** -0.5
    return values.bfloat16().float()
