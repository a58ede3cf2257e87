"""Keeping what people and tools wrote apart from what the template writes.

Every special token begins and ends with certain characters (Gemma's with `<` and `>`). Before rendering
these are replaced, in all texts and names of the conversation, by private-use characters that occur
nowhere in it. Whatever special token stands in the rendered text then is the template's own; afterwards
the private characters turn back. So nobody can type a control token, not even out of pieces.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MessageError

_FIRST_PRIVATE, _LAST_PRIVATE = 0xF0000, 0xFFFFD


class Escape:
    """A reversible replacement of the characters that special tokens begin and end with.

    Args:
        special_tokens: literals of the tokenizer.
        text: what the private characters must not occur in.

    Raises:
        MessageError: if the text uses up all private characters.
    """

    def __init__(self, special_tokens: Sequence[str], *, text: str) -> None:
        guarded = sorted({end for literal in special_tokens for end in (literal[0], literal[-1])})
        used = set(text)
        free = (chr(c) for c in range(_FIRST_PRIVATE, _LAST_PRIVATE) if chr(c) not in used)
        stand_ins = [stand_in for _, stand_in in zip(guarded, free, strict=False)]
        if len(stand_ins) < len(guarded):
            raise MessageError("the conversation uses every private-use character; leave some out")
        self._there = str.maketrans(dict(zip(guarded, stand_ins, strict=True)))
        self._back = str.maketrans(dict(zip(stand_ins, guarded, strict=True)))

    def hide(self, value: Any) -> Any:
        """A copy of a JSON-like value with every text and key escaped."""
        if isinstance(value, str):
            return value.translate(self._there)
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(item) for item in value]
        return value

    def show(self, text: str) -> str:
        """The text as it was."""
        return text.translate(self._back)
