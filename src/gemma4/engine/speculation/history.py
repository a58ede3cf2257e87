"""The ids of one request in an array that grows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class History:
    """Prompt and answer of a request, to be searched."""

    def __init__(self) -> None:
        self._ids: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._length = 0

    def follow(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """Take what is new of a request's ids, which only grow; return all, good until the next call."""
        length = len(ids)
        if length > self._ids.shape[0]:
            self._ids = np.resize(self._ids, length * 5 // 4 + 256)
        self._ids[self._length : length] = ids[self._length :]
        self._length = length
        return self._ids[:length]

    def check(self) -> None:
        """There is room for what was taken."""
        assert 0 <= self._length <= self._ids.shape[0]
