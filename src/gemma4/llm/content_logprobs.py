"""Log-probabilities of the words that are shown, handed out with the piece that carries their text.

A piece may come later than its tokens (a character is unfinished, a stop string may be), or never.
"""

from collections import deque

from .events import ContentDelta, TokenLogprob


class ContentLogprobs:
    """Tokens of the content that no piece has carried yet."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[TokenLogprob, int]] = deque()
        self._ahead = 0  # bytes given out behind the start of the first that waits

    def add(self, token: TokenLogprob, num_bytes: int) -> None:
        """The next token, and how many bytes of text it stands for."""
        self._waiting.append((token, num_bytes))

    def attach(self, piece: ContentDelta) -> ContentDelta:
        """The piece with the tokens whose text begins in it."""
        found = []
        self._ahead += len(piece.text.encode())
        while self._waiting and self._ahead > 0:
            token, num_bytes = self._waiting.popleft()
            found.append(token)
            self._ahead -= num_bytes
        if (
            not self._waiting
        ):  # text that no token wrote, such as U+FFFD, takes none away from the next
            self._ahead = min(self._ahead, 0)
        return ContentDelta(piece.text, tuple(found)) if found else piece
