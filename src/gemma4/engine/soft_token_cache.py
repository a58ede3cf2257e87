"""Soft tokens of media seen before, so that a conversation about a clip pays for it once."""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

MAX_BYTES = 256 << 20  # some forty clips of E2B


class SoftTokenCache:
    """Keeps what the towers made, by digest of the prepared medium; the longest unused goes first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self.num_bytes = 0

    def get(self, digest: bytes, make: Callable[[], Tensor]) -> Tensor:
        """The soft tokens of a medium, made if they are not kept."""
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        made = make()
        if made.nbytes <= self._max_bytes:
            self._kept[digest] = made
            self.num_bytes += made.nbytes
        while self.num_bytes > self._max_bytes:
            self.num_bytes -= self._kept.popitem(last=False)[1].nbytes
        return made

    def check(self) -> None:
        """The count is that of what is kept, and within the bound."""
        assert self.num_bytes == sum(tensor.nbytes for tensor in self._kept.values())
        assert self.num_bytes <= self._max_bytes
