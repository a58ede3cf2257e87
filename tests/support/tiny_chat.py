"""A tiny random model that talks: E2B's shape in small, the real tokenizer, template and settings.

    tiny_chat_directory()    a checkpoint as one pulls it; what it says is noise, how it says it is real
    tiny_base_directory()    the same weights without template and settings: it continues text
    tiny_drafter_directory() a drafter that fits it

All are written once in a test session, removed at its end, and must not be changed.
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

from gemma4.config.huggingface.writer import write_config
from gemma4.config.model import DrafterConfig, ModelConfig
from gemma4.config.published import E2B, repeat_pattern
from gemma4.tensors.entry import TensorEntry, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.text.tokens.packaged import packaged_tokenizer_json

TEMPLATE = Path(__file__).parents[1] / "data" / "chat_templates" / "e2b-e4b.2026-07.jinja"
GENERATION = {
    "bos_token_id": 2,
    "do_sample": True,
    "eos_token_id": [1, 106, 50],
    "pad_token_id": 0,
    "temperature": 1.0,
    "top_k": 64,
    "top_p": 0.95,
}


def tiny_chat_config() -> ModelConfig:
    """E2B with five layers of width 32 and towers of one layer; the vocabulary is whole."""
    assert E2B.vision is not None
    assert E2B.audio is not None
    text = replace(
        E2B.text,
        hidden_size=32,
        intermediate_size=64,
        layer_kinds=repeat_pattern(1, 3)[:6],
        num_heads=2,
        head_dim=32,
        full_head_dim=64,
        sliding_window=64,
        num_kv_shared_layers=2,
        per_layer_dim=32,
        max_positions=8192,
    )
    vision = replace(
        E2B.vision, hidden_size=24, intermediate_size=32, num_layers=1, num_heads=2,
        num_kv_heads=2, head_dim=12,
    )  # fmt: skip
    audio = replace(E2B.audio, hidden_size=32, num_layers=1, num_heads=2, output_size=24)
    return replace(E2B, text=text, vision=vision, audio=audio, stored_dtype="float32")


@cache
def tiny_chat_directory() -> Path:
    """An instruction-tuned checkpoint, tiny and random but the same every time."""
    folder = _folder("chat")
    config = tiny_chat_config()
    generator = torch.Generator().manual_seed(4)
    weights = {entry.name: _random(entry, generator) for entry in tensor_table(config)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(write_config(config)))
    (folder / "tokenizer.json").write_bytes(packaged_tokenizer_json())
    (folder / "generation_config.json").write_text(json.dumps(GENERATION))
    shutil.copy(TEMPLATE, folder / "chat_template.jinja")
    return folder


@cache
def tiny_base_directory() -> Path:
    """The same model as a base model: no template, no settings."""
    folder = _folder("base")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (folder / name).symlink_to(tiny_chat_directory() / name)
    return folder


@cache
def tiny_drafter_directory() -> Path:
    """A drafter of random weights for the same model: it hardly ever guesses right."""
    folder, target = _folder("drafter"), tiny_chat_config()
    text = replace(
        target.text,
        hidden_size=32,
        layer_kinds=repeat_pattern(3, 1),
        num_kv_shared_layers=4,
        per_layer_dim=0,
        per_layer_vocab_size=0,
        double_wide_mlp=False,
        logit_softcap=None,
    )
    config = DrafterConfig(
        family="gemma4_assistant",
        text=text,
        backbone_hidden_size=target.text.hidden_size,
        stored_dtype="float32",
    )
    generator = torch.Generator().manual_seed(5)
    weights = {entry.name: _random(entry, generator) for entry in tensor_table(config)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(write_config(config)))
    return folder


def _folder(kind: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gemma4-tiny-")) / f"tiny-{kind}"
    folder.mkdir()
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    return folder


def _random(entry: TensorEntry, generator: torch.Generator) -> torch.Tensor:
    values = torch.randn(entry.shape, generator=generator)
    match entry.kind:
        case TensorKind.NORM | TensorKind.SCALE:
            return 1 + 0.2 * values
        case TensorKind.CLIP_BOUND:
            return torch.tensor(-8.0 if entry.name.endswith("min") else 8.0)
        case TensorKind.EMBEDDING | TensorKind.PER_LAYER_TABLE:
            return values
        case _:
            return values * entry.shape[-1] ** -0.5 if entry.shape else values
