"""Masks over a vocabulary: a bit for each token; scores become −inf where it is not set. V vocab."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bits = NDArray[np.uint8]
"""Bits of token ids, the least significant first; whole 32-bit words, those beyond V are clear."""

_MOST_BIASES: Final = 16  # of V float32 each
_FORBIDDEN = np.float32(-np.inf)
_EIGHT_FLAGS = np.unpackbits(
    np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"
).view(np.uint64)[:, 0]  # for each byte of bits, a byte for each of them


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
    """Applies masks to scores; what it returns holds until the next call, for the room is used again.

    Fresh memory would cost more than all else: a megabyte is mapped, and cleared, page by page. A mask of
    few tokens copies those; one of many, as inside a text, adds 0 or −inf, and the numbers to add are
    kept, since the same mask comes again with the next token.
    """

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self._left = np.empty(vocab_size, dtype=np.float32)
        self._tensor = torch.from_numpy(self._left)
        self._flags = np.empty((vocab_size + 31) // 32 * 4, dtype=np.uint64)  # eight to a number
        self._biases: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def apply(self, bits: Bits, logits: Tensor) -> Tensor:
        """The float32 scores [V] with −inf where the bit is not set; `logits` stay as they are."""
        scores = logits.numpy()
        if 4 * int(np.bitwise_count(bits.view(np.uint32)).sum()) > self.vocab_size:
            np.add(scores, self._bias(bits), out=self._left)
        else:
            self._left.fill(_FORBIDDEN)
            np.copyto(self._left, scores, where=self._unpacked(bits))
        return self._tensor

    def without(self, ids: Sequence[int], logits: Tensor) -> Tensor:
        """The scores [V] with −inf for these ids."""
        np.copyto(self._left, logits.numpy())
        self._left[ids] = _FORBIDDEN
        return self._tensor

    def only(self, id: int) -> Tensor:
        """Scores [V] that leave one id."""
        self._left.fill(_FORBIDDEN)
        self._left[id] = 0.0
        return self._tensor

    def _bias(self, bits: Bits) -> NDArray[np.float32]:
        key = bits.tobytes()
        bias = self._biases.get(key)
        if bias is None:
            bias = np.where(self._unpacked(bits), np.float32(0), _FORBIDDEN)
            self._biases[key] = bias
            if len(self._biases) > _MOST_BIASES:
                self._biases.popitem(last=False)
        self._biases.move_to_end(key)
        return bias

    def _unpacked(self, bits: Bits) -> NDArray[np.bool_]:
        np.take(_EIGHT_FLAGS, bits, out=self._flags, mode="clip")
        return self._flags.view(np.bool_)[: self.vocab_size]
