"""Attention over pages on a GPU: one query a request, or many.

Letters: B requests, T tokens, N query heads, K kv heads, H head dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...config import PAGE_TOKENS, LayerSpec
from .attention_decode import decode_attention_kernel, join_splits_kernel
from .attention_prefill import prefill_attention_kernel
from .rows import LayerPages
from .tuning import Tuning

NO_WINDOW = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class QueryRuns:
    """Which tokens a program takes: neighbours of one request, int32 each; made for one number of rows.

    Attributes:
        starts, lengths, requests: [Q], first packed row, number of tokens, request.
        tokens: the most tokens of a run.
    """

    starts: Tensor
    lengths: Tensor
    requests: Tensor
    tokens: int


def query_runs(lengths: tuple[int, ...], tokens: int, device: torch.device) -> QueryRuns:
    """Cut the packed tokens of requests into runs of at most `tokens`."""
    starts, sizes, requests = [], [], []
    first = 0
    for request, length in enumerate(lengths):
        for start in range(0, length, tokens):
            starts.append(first + start)
            sizes.append(min(tokens, length - start))
            requests.append(request)
        first += length

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=device)

    return QueryRuns(column(starts), column(sizes), column(requests), tokens)


def tokens_of_a_run(spec: LayerSpec) -> int:
    """Tokens whose query heads of one kv head are the rows of a program; wide heads fill registers sooner."""
    rows = 32 if spec.head_dim > 256 else 64
    return max(1, rows // _group_rows(spec))


def attend_one(
    spec: LayerSpec, query: Tensor, pages: LayerPages, positions: Tensor, tuning: Tuning
) -> Tensor:
    """One query a request [B, N, H] over its pages, its own key included; zeros for a negative position.

    Args:
        positions: int32 [B].
    """
    num_requests, num_heads, head_dim = query.shape
    table_blocks = pages.table.shape[1]
    blocks = (
        table_blocks if spec.window is None else min(table_blocks, spec.window // PAGE_TOKENS + 1)
    )
    splits = tuning.attention_splits(spec.num_kv_heads, blocks)
    shape = (num_requests, num_heads, splits)
    sums = torch.empty(*shape, head_dim, dtype=torch.float32, device=query.device)
    log_sums = torch.empty(shape, dtype=torch.float32, device=query.device)
    out = torch.empty_like(query)
    group = num_heads // spec.num_kv_heads
    decode_attention_kernel[(num_requests, spec.num_kv_heads, splits)](
        query, pages.keys, pages.values, pages.table, positions, sums, log_sums,
        NO_WINDOW if spec.window is None else spec.window, spec.attention_scale,
        pages.keys.stride(0), pages.values.stride(0), table_blocks, splits,
        K=spec.num_kv_heads, GROUP=group, ROWS=max(16, _group_rows(spec)), H=head_dim,
        num_warps=4, num_stages=3,
    )  # fmt: skip
    join_splits_kernel[(num_requests, num_heads)](
        sums, log_sums, positions, out, splits,
        N=num_heads, H=head_dim, SPLITS=max(2, 1 << (splits - 1).bit_length()), num_warps=4,
    )  # fmt: skip
    return out


def attend_many(
    spec: LayerSpec, query: Tensor, pages: LayerPages, low: Tensor, high: Tensor, runs: QueryRuns
) -> Tensor:
    """Queries [T, N, H], each over keys low … high − 1 of its request, int32 [T] → [T, N, H]."""
    out = torch.empty_like(query)
    prefill_attention_kernel[(len(runs.starts), spec.num_kv_heads)](
        query, pages.keys, pages.values, pages.table, low, high,
        runs.starts, runs.lengths, runs.requests, out,
        spec.attention_scale, pages.keys.stride(0), pages.values.stride(0), pages.table.shape[1],
        K=spec.num_kv_heads, GROUP=spec.num_heads // spec.num_kv_heads,
        GROUP_ROWS=_group_rows(spec), TOKENS=runs.tokens, H=spec.head_dim,
        num_warps=8, num_stages=2,
    )  # fmt: skip
    return out


def visible_range(
    positions: Tensor, window: int | None, spans: Tensor | None, lengths: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Keys low … high − 1 that each query sees, int32 [T].

    Args:
        positions: [T]. lengths: tokens of each request, in order.
        spans: int64 [T], images of a layer where they see themselves both ways, else −1; no pass cuts one.
    """
    positions = positions.int()
    low = torch.zeros_like(positions)
    if window is not None:
        low = (positions - window + 1).clamp_min(0)
    high = positions + 1
    if spans is None:
        return low, high
    ends = []
    for span, end in zip(spans.split(lengths), high.split(lengths), strict=True):
        last = end.new_zeros(int(span.max()) + 1 if span.numel() and int(span.max()) >= 0 else 1)
        inside = span >= 0
        last.scatter_reduce_(0, span[inside], end[inside], "amax")
        ends.append(torch.where(inside, last[span.clamp_min(0)], end))
    return low, torch.cat(ends)


def _group_rows(spec: LayerSpec) -> int:
    """Query heads of a kv head, as the power of two that a kernel's rows are cut into."""
    group = spec.num_heads // spec.num_kv_heads
    return 1 << (group - 1).bit_length()
