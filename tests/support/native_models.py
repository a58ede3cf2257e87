"""Published configurations shrunk to widths that the native kernels take, with random weights."""

from dataclasses import replace
from functools import cache
from typing import TypeVar

import torch

from gemma4.config import DrafterConfig, ModelConfig, plan_kv_groups
from gemma4.config.layers import LayerKind
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.model.drafter import Drafter
from gemma4.model.gemma4 import Gemma4
from gemma4.model.page_table import PageTable
from gemma4.model.paged_kv import PageStorage

Random = TypeVar("Random", Gemma4, Drafter)

DRAFTED = ("e2b", "12b", "26b-a4b", "31b")
"""Sizes that have a drafter."""

SIZES = (*DRAFTED, "gemma3:270m")
WINDOW = 40
VOCAB = 512


def shrunk(size: str) -> ModelConfig:
    """Two blocks of layers and small widths; head ratios, sharing, experts and K=V stay.

    Full layers have wider heads where the published ones have: in Gemma 3 only the rotations differ.
    """
    published = PUBLISHED_MODELS[size]
    text = published.text
    pattern = (LayerKind.SLIDING, LayerKind.SLIDING, LayerKind.FULL)
    heads = min(text.num_heads, 8)
    return replace(
        published,
        vision=None,
        audio=None,
        text=replace(
            text,
            vocab_size=VOCAB,
            per_layer_vocab_size=VOCAB if text.per_layer_dim else 0,
            hidden_size=64,
            intermediate_size=96,
            layer_kinds=pattern * 2,
            num_heads=heads,
            num_kv_heads=min(text.num_kv_heads, heads // 2),
            num_full_kv_heads=min(text.num_full_kv_heads, 2),
            head_dim=32,
            full_head_dim=32 if text.full_head_dim == text.head_dim else 64,
            attention_scale=32**-0.5 if text.attention_scale != 1 else 1.0,
            sliding_window=WINDOW,
            num_kv_shared_layers=3 if text.num_kv_shared_layers else 0,
            per_layer_dim=32 if text.per_layer_dim else 0,
            moe=None
            if text.moe is None
            else replace(text.moe, num_experts=16, top_k=3, intermediate_size=32),
        ),
    )


@cache
def random_model(size: str) -> Gemma4:
    """The shrunk model in float32, random but the same every time; norms and scalars near 1."""
    return _randomized(Gemma4(shrunk(size)), SIZES.index(size))


def shrunk_drafter(size: str) -> DrafterConfig:
    """The drafter for the shrunk model; its head is ordered or dense as the published one's."""
    published, target = PUBLISHED_DRAFTERS[size], shrunk(size).text
    return replace(
        published,
        text=replace(
            published.text,
            vocab_size=VOCAB,
            hidden_size=32,
            intermediate_size=96,
            num_heads=min(published.text.num_heads, 8),
            num_kv_heads=target.num_kv_heads,
            num_full_kv_heads=target.num_full_kv_heads,
            head_dim=target.head_dim,
            full_head_dim=target.full_head_dim,
            sliding_window=WINDOW,
        ),
        backbone_hidden_size=target.hidden_size,
        num_centroids=16 if published.num_centroids else 0,
        top_centroids=3 if published.num_centroids else 0,
    )


@cache
def random_drafter(size: str) -> Drafter:
    """Its drafter in float32, as random."""
    return _randomized(Drafter(shrunk_drafter(size)), 100 + SIZES.index(size))


def _randomized(model: Random, seed: int) -> Random:
    generator = torch.Generator().manual_seed(seed)
    model.eval().requires_grad_(False)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():  # the order of words
            tensor.copy_(torch.randperm(tensor.numel(), generator=generator))
            continue
        values = torch.randn(tensor.shape, generator=generator)
        matrix = tensor.dim() >= 2
        if matrix:
            tensor.copy_(values / tensor.shape[-1] ** 0.5)
        else:
            tensor.copy_(1 + 0.2 * values)
        if "embed_tokens" in name:
            tensor.copy_(values)
    return model


def page_storage(model: Gemma4, dtype: torch.dtype, *, pages: int = 64) -> PageStorage:
    """Pages full of NaN (8 bits: of junk), so that a lane read before it was written shows."""
    groups = plan_kv_groups(model.decoder.specs)
    storage = PageStorage(groups, [pages] * len(groups), dtype=dtype, device=torch.device("cpu"))
    for buffer in (*storage.keys, *storage.values, *storage.key_scales, *storage.value_scales):
        buffer.fill_(torch.nan if buffer.is_floating_point() else 99)
    return storage


def page_table(storage: PageStorage, first: int, blocks: int) -> PageTable:
    """A table of pages first, first + 1, … in every group."""
    table = PageTable(len(storage.groups))
    for pages in table.pages:
        pages.extend(range(first, first + blocks))
    return table
