"""Slices of several requests packed into one batch. Letters: T tokens, M soft tokens, V vocab."""

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

from ..model.batch import Batch
from ..model.paged_kv import PagedKV
from .scheduler import Slice


def pack(slices: Sequence[Slice], kv: PagedKV) -> Batch:
    """The pass over these slices; their logit rows follow each other, `num_logits` of each."""
    ids: list[int] = []
    positions: list[int] = []
    logit_rows: list[int] = []
    for part in slices:
        known = part.request.ids[part.start : part.end - len(part.drafted)]
        ids += [*known, *part.drafted]
        positions += range(part.start, part.end)
        logit_rows += range(len(ids) - part.num_logits, len(ids))
    device = kv.storage.device

    def whole(numbers: list[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=device)

    soft_rows, soft_tokens = _soft_tokens(slices)
    spans = _spans(slices)
    return Batch(
        ids=whole(ids),
        positions=whole(positions),
        lengths=tuple(part.num_tokens for part in slices),
        logit_rows=whole(logit_rows),
        kv=kv,
        spans=None if spans is None else whole(spans),
        soft_rows=whole(soft_rows) if soft_rows else None,
        soft_tokens=torch.cat(soft_tokens) if soft_rows else None,
    )


def _soft_tokens(slices: Sequence[Slice]) -> tuple[list[int], list[Tensor]]:
    """Packed rows that soft tokens fill, and the soft tokens."""
    rows: list[int] = []
    tokens: list[Tensor] = []
    offset = 0
    for part in slices:
        request = part.request
        low = bisect_left(request.soft_rows, part.start)
        high = bisect_left(request.soft_rows, part.end)
        if low < high:
            assert request.prompt.soft_tokens is not None
            rows += [row - part.start + offset for row in request.soft_rows[low:high]]
            tokens.append(request.prompt.soft_tokens[low:high])
        offset += part.num_tokens
    return rows, tokens


def _spans(slices: Sequence[Slice]) -> list[int] | None:
    """Number of the image each row belongs to, −1 for none; None if no slice has one."""
    spans: list[int] = []
    for part in slices:
        numbers = part.request.spans.numbers or ()
        known = numbers[part.start : part.end]
        spans += [*known, *[-1] * (part.num_tokens - len(known))]
    return spans if any(number >= 0 for number in spans) else None
