"""Tiny models brought in through the production loader, and their logits of a prompt."""

import tempfile
from functools import cache
from pathlib import Path

import tiny_media
import torch
from scattered_pages import ScatteredPages
from tiny_models import save_tiny

from gemma4.config import DrafterConfig, ModelConfig, plan_kv_groups
from gemma4.engine.encode import digests, encode_media
from gemma4.engine.prompt import Prompt
from gemma4.model.batch import KV
from gemma4.model.drafter import Drafter, build_drafter
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.model.kv import PassKV
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint


@cache
def checkpoint_directory(kind: str) -> Path:
    """A checkpoint directory of a tiny model, kept for the session."""
    return save_tiny(kind, Path(tempfile.mkdtemp(prefix=f"gemma4-{kind}-")))


@cache
def loaded(kind: str, dtype: torch.dtype = torch.float32) -> Gemma4:
    """Our model of a tiny checkpoint."""
    checkpoint = open_checkpoint(checkpoint_directory(kind))
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=dtype)
    return model


@cache
def loaded_drafter(kind: str) -> Drafter:
    """Our drafter of a tiny checkpoint."""
    checkpoint = open_checkpoint(checkpoint_directory(kind))
    assert isinstance(checkpoint.config, DrafterConfig)
    drafter = build_drafter(checkpoint.config)
    load_weights(drafter, checkpoint)
    return drafter


def engine_prompt(model: Gemma4, prompt: tiny_media.Prompt) -> Prompt:
    """A test prompt as the engine takes it, media encoded by our towers."""
    soft_tokens = encode_media(model, prompt.media)
    bidirectional = model.config.text.bidirectional_media
    return Prompt(
        ids=prompt.ids,
        soft_rows=None if soft_tokens is None else prompt.soft_rows,
        soft_tokens=soft_tokens,
        media=digests(prompt.media),
        spans=prompt.spans if bidirectional and soft_tokens is not None else None,
    )


def pages_for(model: Gemma4, num_requests: int = 1) -> ScatteredPages:
    """Empty pages in the model's dtype."""
    groups = plan_kv_groups(model.decoder.specs)
    return ScatteredPages(groups, num_requests=num_requests, dtype=model.dtype)


@torch.inference_mode()
def logits_of(
    model: Gemma4, prompt: Prompt, *, kv: KV | None = None, start: int = 0, end: int | None = None
) -> torch.Tensor:
    """Logits of every row of [start, end); without `kv`, the plain one-pass model."""
    end = prompt.ids.numel() if end is None else end
    rows = torch.arange(end - start)
    kv = PassKV(model.decoder.specs) if kv is None else kv
    return model(prompt.batch(start, end, kv=kv, logit_rows=rows)).logits
