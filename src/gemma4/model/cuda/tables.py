"""Page tables as the kernels read them: int32, a row for each request of a pass or each of its tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..page_table import NO_PAGE, PageTable


def table_rows(
    tables: Sequence[PageTable], repeats: Sequence[int], device: torch.device
) -> list[Tensor]:
    """Pages by block for each group of layers, int32 [rows, blocks], −1 where a request has no page.

    Args:
        tables: of the requests, in order. repeats: rows that each fills.
    """
    groups = range(len(tables[0].pages))
    return [
        _group_rows(tables, repeats, group, pinned=device.type == "cuda").to(
            device, non_blocking=True
        )
        for group in groups
    ]


def _group_rows(
    tables: Sequence[PageTable], repeats: Sequence[int], group: int, *, pinned: bool
) -> Tensor:
    width = max(table.num_blocks for table in tables)
    # Pinned where there is a GPU, so that nothing waits for the copy.
    rows = torch.full((sum(repeats), width), NO_PAGE, dtype=torch.int32, pin_memory=pinned)
    first = 0
    for table, count in zip(tables, repeats, strict=True):
        pages = torch.frombuffer(table.pages[group], dtype=torch.int32)
        rows[first : first + count, : len(pages)] = pages
        first += count
    return rows
