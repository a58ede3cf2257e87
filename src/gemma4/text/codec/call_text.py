"""The text of one call while it is collected, between `<|tool_call>` and whatever ends it."""

import re

from .call_cursor import CHANNEL_CLOSE, CHANNEL_OPEN, QUOTE

_INSIDE = {'<|"|>': QUOTE, "<|channel>": CHANNEL_OPEN, "<channel|>": CHANNEL_CLOSE}
_COMPLETE = re.compile(r"(?:[})]|END_ARG)\Z")
_TAIL = 8


class CallText:
    """Joins pieces once, at the end."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._tail = ""
        self._in_string = False
        self.in_channel = False

    @property
    def body(self) -> str:
        """Everything so far, special tokens as `call_cursor` writes them."""
        return "".join(self._pieces)

    @property
    def complete(self) -> bool:
        """Whether the text looks finished: a closing bracket outside of strings came last."""
        return not self._in_string and _COMPLETE.search(self._tail) is not None

    def add(self, text: str) -> None:
        """Take more text."""
        self._pieces.append(text)
        self._tail = (self._tail + text.rstrip())[-_TAIL:]

    def add_special(self, name: str) -> None:
        """Take a special token that does not end the call."""
        self.add(_INSIDE.get(name, name))
        if name == '<|"|>':
            self._in_string = not self._in_string
        elif name in ("<|channel>", "<channel|>"):
            self.in_channel = name == "<|channel>"
