"""Programs of one kind of step, for tests of the native kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gemma4.kernels.native import Native

PANEL = 8  # tokens that lie side by side in packed activations


def run_steps(
    native: Native,
    add: Callable[[Any], object],
    count: int,
    *,
    runs: list[tuple[int, int, int]] | None = None,
    tables: list[list[int]] | None = None,
    **tensors: Tensor,
) -> None:
    """A pass over `count` tokens through the steps that `add` puts into a program.

    Args:
        runs: request, first token and number of tokens of each; None: one request.
        tensors: ids, positions, rows, out, span_ends.
    """
    module = native.module
    program = module.Program(module.Pool(native.num_threads), native.kernels)
    add(program)
    addresses = {name: tensor.data_ptr() for name, tensor in tensors.items()}
    given = [(0, 0, count)] if runs is None else runs
    program.run(module.Pass(count, given, tables=tables or [], **addresses))


def unpacked(packed: Tensor, count: int, columns: int) -> Tensor:
    """Rows [count, columns] of activations packed as float32: panels of up to 8 tokens, column by column."""
    flat = packed.view(torch.float32).flatten()
    rows = []
    for first in range(0, count, PANEL):
        tokens = min(PANEL, count - first)
        panel = flat[first * columns : (first + tokens) * columns]
        rows.append(panel.view(columns, tokens).T)
    return torch.cat(rows)
