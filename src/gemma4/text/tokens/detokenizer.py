"""Token ids to text as they come: a character is given out when its last byte has arrived."""

import codecs
from collections.abc import Iterable

from .tokenizer import Tokenizer


class Detokenizer:
    """Turns a stream of ids into pieces of text; joined, they equal `Tokenizer.decode` of all ids.

    Args:
        skip_special: leave special tokens out.
    """

    def __init__(self, tokenizer: Tokenizer, *, skip_special: bool = False) -> None:
        self._tokenizer = tokenizer
        self._skip_special = skip_special
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, id: int) -> str:
        """The text that `id` completes; empty while a character is unfinished."""
        if self._skip_special and self._tokenizer.is_special(id):
            return ""
        return self._decoder.decode(self._tokenizer.token_bytes(id))

    def feed(self, ids: Iterable[int]) -> str:
        """The text that `ids` complete."""
        return "".join(map(self.push, ids))

    def finish(self) -> str:
        """End the stream: an unfinished character becomes U+FFFD."""
        return self._decoder.decode(b"", final=True)
