"""Where a prompt may be cut: an image that is seen both ways stays in one pass."""

from collections.abc import Sequence


class ImageSpans:
    """The images of a prompt; without numbers, one that may be cut anywhere.

    Args:
        numbers: of the image each token belongs to, −1 for none; None where images are seen causally.
    """

    def __init__(self, numbers: Sequence[int] | None) -> None:
        self.numbers = numbers

    def is_cut(self, position: int) -> bool:
        """True if the tokens before and at `position` belong to one image."""
        numbers = self.numbers
        if numbers is None or not 0 < position < len(numbers):
            return False
        return 0 <= numbers[position] == numbers[position - 1]

    def chunk_end(self, start: int, end: int) -> int:
        """The end of a chunk of [start, end): before an image it would cut, behind one it starts with."""
        if not self.is_cut(end):
            return end
        before = end
        while self.is_cut(before):
            before -= 1
        if before > start:
            return before
        while self.is_cut(end):
            end += 1
        return end

    @property
    def longest(self) -> int:
        """Tokens of the longest image."""
        longest, start = 0, 0
        numbers = self.numbers or ()
        for position in range(1, len(numbers) + 1):
            if not self.is_cut(position):
                longest = max(longest, position - start if numbers[start] >= 0 else 0)
                start = position
        return longest
