"""Masks over a vocabulary: a bit for each token; scores become −inf where it is not set. V vocab."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bits = NDArray[np.uint8]
"""Bits of token ids, the least significant first; whole 32-bit words, those beyond V are clear."""

_MOST_BIASES: Final = 16  # of V float32 each
_FORBIDDEN = np.float32(-np.inf)


def no_bits(vocab_size: int) -> Bits:
    """A mask that allows nothing."""
    return np.zeros((vocab_size + 31) // 32 * 4, dtype=np.uint8)


def bits_of(ids: Iterable[int], vocab_size: int) -> Bits:
    """A mask that allows these ids."""
    bits = no_bits(vocab_size)
    for id in ids:
        bits[id >> 3] |= 1 << (id & 7)
    return bits


class Masks:
    """Applies masks to scores.

    A mask of few tokens copies those; one of many, as inside a text, adds 0 or −inf, and the numbers to
    add are kept, since the same mask comes again with the next token.
    """

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self._biases: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def apply(self, bits: Bits, logits: Tensor) -> Tensor:
        """The float32 scores [V] with −inf where the bit is not set; `logits` stay as they are."""
        scores = logits.numpy()
        if int(
            np.bitwise_count(bits.view(np.uint64 if bits.size % 8 == 0 else np.uint8)).sum()
        ) * 4 > (self.vocab_size):
            return torch.from_numpy(scores + self._bias(bits))
        left = np.full(self.vocab_size, _FORBIDDEN)
        np.copyto(left, scores, where=self._flags(bits))
        return torch.from_numpy(left)

    def _bias(self, bits: Bits) -> NDArray[np.float32]:
        key = bits.tobytes()
        bias = self._biases.get(key)
        if bias is None:
            bias = np.where(self._flags(bits), np.float32(0), _FORBIDDEN)
            self._biases[key] = bias
            if len(self._biases) > _MOST_BIASES:
                self._biases.popitem(last=False)
        self._biases.move_to_end(key)
        return bias

    def _flags(self, bits: Bits) -> NDArray[np.bool_]:
        flags = np.unpackbits(bits, count=self.vocab_size, bitorder="little")
        return flags.view(np.bool_)
