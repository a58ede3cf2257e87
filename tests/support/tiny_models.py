"""Tiny random transformers models of every architecture: the reference that tests compare with.

    model = build("e_series")       float32, eager attention, every parameter and buffer random
    save_tiny("moe", directory)     a checkpoint directory as transformers writes it

Models are built once in a test session and must not be changed; nothing global is.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path

import tiny_configs
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma4AssistantForCausalLM,
    Gemma4ForConditionalGeneration,
    Gemma4TextConfig,
    Gemma4UnifiedAssistantForCausalLM,
    Gemma4UnifiedForConditionalGeneration,
    Gemma4UnifiedTextConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

transformers_logging.disable_progress_bar()  # tests look at what the program itself prints

TARGETS = ("e_series", "moe", "dense31", "unified")
DRAFTERS = {
    "drafter_ordered": "e_series",
    "drafter_dense": "dense31",
    "drafter_unified": "unified",
}
KINDS = (*TARGETS, "gemma3_text", *DRAFTERS)


@cache
def build(kind: str) -> PreTrainedModel:
    """Build the model of a kind (one of `KINDS`), random but the same every time."""
    match kind:
        case "unified":
            model_class = Gemma4UnifiedForConditionalGeneration
        case "gemma3_text":
            model_class = Gemma3ForCausalLM
        case "drafter_ordered" | "drafter_dense":
            model_class = Gemma4AssistantForCausalLM
        case "drafter_unified":
            model_class = Gemma4UnifiedAssistantForCausalLM
        case _:
            model_class = Gemma4ForConditionalGeneration
    with _repaired_kv_sharing():
        model = model_class._from_config(_config(kind), attn_implementation="eager")
    randomise(model, seed=KINDS.index(kind) + 1)
    model.tie_weights()
    return model.eval().requires_grad_(False)


def save_tiny(
    kind: str,
    directory: Path,
    *,
    dtype: torch.dtype = torch.float32,
    max_shard_size: str = "1GB",
) -> Path:
    """Write config.json and model.safetensors (or shards and their index); return the directory."""
    model = build(kind)
    if dtype is not torch.float32:
        model = deepcopy(model).to(dtype)
    with _repaired_kv_sharing():
        model.save_pretrained(directory, max_shard_size=max_shard_size)
    return directory


@cache
def reload(kind: str, dtype: torch.dtype) -> PreTrainedModel:
    """The model as transformers itself loads it in `dtype`: what must stay float32 does."""
    with tempfile.TemporaryDirectory() as folder:
        save_tiny(kind, Path(folder))
        model = type(build(kind)).from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return model.eval().requires_grad_(False)


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Fill every parameter and persistent buffer, so that leaving one out shows in the logits."""
    generator = torch.Generator().manual_seed(seed)
    offset = 0.0 if isinstance(model, Gemma3ForCausalLM) else 1.0  # Gemma 3 stores norms as w − 1

    def normal(tensor: torch.Tensor, deviation: float, mean: float = 0.0) -> None:
        with torch.no_grad():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * deviation + mean)

    for name, parameter in sorted(model.named_parameters()):
        if name.endswith("per_dim_scale"):
            normal(parameter, 0.5)
        elif name.endswith("bias"):
            normal(parameter, 0.2)
        elif name.endswith("q_norm.weight"):  # as trained models have it: scores of a few units
            normal(parameter, 0.1, offset - 0.5)
        elif parameter.ndim == 1:
            normal(parameter, 0.2, offset)
        elif "position_embedding_table" in name or "pos_embedding" in name:
            normal(parameter, 0.3)
        else:
            normal(parameter, parameter.shape[-1] ** -0.5)
    bounds = {"input_min": -1.5, "input_max": 1.75, "output_min": -2.0, "output_max": 1.9}
    for name, buffer in sorted(model.named_buffers()):
        match name.rpartition(".")[2]:
            case "layer_scalar":
                normal(buffer, 0.2, 0.8)
            case "std_bias":
                normal(buffer, 0.5)
            case "std_scale":
                normal(buffer, 0.1, 0.5)
            case "token_ordering":
                buffer.copy_(torch.randperm(buffer.numel(), generator=generator))
            case bound if bound in bounds:
                buffer.fill_(bounds[bound])


def _config(kind: str):
    if kind in DRAFTERS:
        target = build(DRAFTERS[kind]).config
        return tiny_configs.drafter(target, ordered=kind == "drafter_ordered")
    return getattr(tiny_configs, kind)()


@contextmanager
def _repaired_kv_sharing() -> Iterator[None]:
    """Give transformers 5.23.0 the right rule for which layer stores keys and which reads them.

    Its own raises when all layers are shared (every drafter), and lets a model without shared
    layers store nothing, so that its drafter finds no keys. Modules ask only while they are built.
    """
    classes = (Gemma4TextConfig, Gemma4UnifiedTextConfig)
    stock = [owner.kv_sharing_modes for owner in classes]
    for owner in classes:
        owner.kv_sharing_modes = property(_kv_sharing_modes)
    try:
        yield
    finally:
        for owner, modes in zip(classes, stock, strict=True):
            owner.kv_sharing_modes = modes


def _kv_sharing_modes(config: Gemma4TextConfig) -> list[str | None]:
    first_shared = config.num_hidden_layers - config.num_kv_shared_layers
    owners = config.layer_types[:first_shared]
    modes: list[str | None] = [None] * first_shared + ["reuse"] * config.num_kv_shared_layers
    for kind in set(owners):
        modes[max(i for i, owned in enumerate(owners) if owned == kind)] = "store"
    return modes
