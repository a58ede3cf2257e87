"""Keys and values scattered over pages, with everything that was not written left as NaN."""

import torch
from torch import Tensor

from gemma4.config import PAGE_TOKENS, LayerKind, LayerSpec, RopeConfig
from gemma4.kernels.cuda.rows import LayerPages


def attention_spec(head_dim: int, heads: int, kv_heads: int, window: int | None) -> LayerSpec:
    """A layer of which only the attention matters."""
    return LayerSpec(
        index=0,
        kind=LayerKind.FULL if window is None else LayerKind.SLIDING,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        window=window,
        rope=RopeConfig(theta=1e4),
        kv_source=0,
        keys_are_values=False,
        intermediate_size=8,
        attention_scale=head_dim**-0.5,  # random numbers are not normed: keeps the softmax soft
    )


def scatter_pages(keys: list[Tensor], values: list[Tensor], first_kept: list[int]) -> LayerPages:
    """Pages of requests with keys and values [S, K, H]; blocks before the first kept key have none."""
    blocks = max(-(-len(key) // PAGE_TOKENS) for key in keys)
    kv_heads, width = keys[0].shape[1:]
    total = blocks * len(keys) + 3
    free = torch.randperm(total).tolist()
    table = torch.full((len(keys), blocks), -1, dtype=torch.int32)
    page_keys = torch.full((total, 2, kv_heads, width, PAGE_TOKENS), float("nan")).to(keys[0].dtype)
    page_values = torch.full((total, 2, kv_heads, PAGE_TOKENS, width), float("nan")).to(
        keys[0].dtype
    )
    for request, (key, value) in enumerate(zip(keys, values, strict=True)):
        for block in range(first_kept[request] // PAGE_TOKENS, -(-len(key) // PAGE_TOKENS)):
            page = free.pop()
            table[request, block] = page
            part = slice(block * PAGE_TOKENS, (block + 1) * PAGE_TOKENS)
            count = len(key[part])
            page_keys[page, 1, :, :, :count] = key[part].permute(1, 2, 0)
            page_values[page, 1, :, :count] = value[part].transpose(0, 1)
    return LayerPages(page_keys[:, 1], page_values[:, 1], table)
