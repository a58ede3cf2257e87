"""Buffers of a program: as many rows as a pass may have tokens, at addresses that stay."""

from typing import TypeVar

import torch
from torch import Tensor

Kept = TypeVar("Kept")

STAGGER = 16
"""Floats between two rows of a staggered buffer: a line of the cache."""


class Workspace:
    """Buffers that live as long as this object does."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: list[object] = []
        self._floats: dict[tuple[str, int], Tensor] = {}
        self._bytes: dict[str, Tensor] = {}

    def keep(self, thing: Kept) -> Kept:
        """Keep what a program only knows by address."""
        self._kept.append(thing)
        return thing

    def bytes(self, name: str, width: int) -> Tensor:
        """The uint8 buffer [capacity, at least width] of this name."""
        buffer = self._bytes.get(name)
        if buffer is None or buffer.shape[1] < width:
            buffer = self.keep(torch.empty(self.capacity, width, dtype=torch.uint8))
            self._bytes[name] = buffer
        return buffer

    def floats(self, name: str, width: int) -> Tensor:
        """The float32 buffer [capacity, width] of this name and width."""
        buffer = self._floats.get((name, width))
        if buffer is None:
            buffer = self.keep(torch.empty(self.capacity, width))
            self._floats[name, width] = buffer
        return buffer

    def staggered(self, name: str, width: int) -> Tensor:
        """The float32 buffer [capacity, width] of this name, rows at no power of two from each other.

        A tile of a linear's output is a column of many rows, which would share a few places of the cache.
        """
        return self.floats(name, width + STAGGER)[:, :width]

    def vector(self, values: Tensor) -> int:
        """Address of a float32 copy of a norm's weight."""
        return self.keep(values.detach().float().contiguous()).data_ptr()
