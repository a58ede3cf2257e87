"""A place in the text of a tool call, and what can be told about it by looking ahead.

The text comes from token ids: the delimiter token `<|"|>` is the character `QUOTE`, which no decoded
text can hold, so a delimiter that was merely typed stays text. Where the model used other quotes or
none, a text ends where the structure plausibly goes on: at a bracket that is awaited, or at a comma
before the next key. The number of such guesses is limited, so time stays linear in the text.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

QUOTE = "\ud800"
"""The delimiter token `<|"|>`."""
CHANNEL_OPEN = "\ud801"
"""The token `<|channel>`, where it stands inside a call."""
CHANNEL_CLOSE = "\ud802"
"""The token `<channel|>`, where it stands inside a call."""
CLOSERS = frozenset("}])")
PAIRS = {"{": "}", "[": "]", "(": ")"}

Ending = Literal["closed", "ended", "cut"]
"""How a call stopped: by its own marker, by the end of the turn, or cut off from outside."""

BARE_KEY = re.compile(
    r"""([^\s:=,(){}\[\]"'`<>|\ud800](?:[^:=,(){}\[\]"'`<>|\ud800]*"""
    r"""[^\s:=,(){}\[\]"'`<>|\ud800])?)\s*([:=])"""
)
DELIMITED_KEY = re.compile("\ud800([^\ud800]*)\ud800\\s*([:=])")
NEXT_KEY = re.compile(
    r"""\s*(?:["'`\ud800]|<\|"\|>)?([^\W\d][\w$@.-]{0,63})(?:["'`\ud800]|<\|"\|>)?\s*[:=](?!//)\s*"""
)
NEXT_ITEM = re.compile(r"""\s*(?:[\ud800"'`{\[+\-0-9]|<\|"\|>|(?:true|false|null|None)\b)""")

_SPELLED = {ord(QUOTE): '<|"|>', ord(CHANNEL_OPEN): "<|channel>", ord(CHANNEL_CLOSE): "<channel|>"}
_NO_SPACE = re.compile(r"\S|\Z")
_AFTER_CLOSER = re.compile(r"\s*(?:[,)}\]\ud800]|\Z|call:|<eos>)")
_ONLY_CLOSERS = re.compile(r"[\s)}\]]*\Z")
_STRUCTURE = re.compile(r"[,(){}\[\]]")
_MAX_GUESSES = 50_000


class UnreadableCall(Exception):
    """The text is no call that can be read without guessing; the message says why."""


def spelled(text: str) -> str:
    """The text as the model wrote it, with the names of its special tokens."""
    return text.translate(_SPELLED)


@dataclass(slots=True)
class Cursor:
    """Where reading stands.

    Attributes:
        text: the call, special tokens as the characters above.
        ending: how the text stopped; decides what may be mended at its end.
        repairs: what was mended so far, in words, each once.
        closers: closing brackets still awaited, outermost first.
    """

    text: str
    ending: Ending
    position: int = 0
    repairs: dict[str, None] = field(default_factory=dict)
    closers: list[str] = field(default_factory=list)
    guesses: int = 0

    @property
    def here(self) -> str:
        """The next characters, for messages."""
        rest = spelled(self.text[self.position : self.position + 24])
        return repr(rest) if rest else "the end"

    def repair(self, what: str) -> None:
        """Note what was mended."""
        self.repairs[what] = None

    def skip_space(self) -> str:
        """Go to the next character that is no space and return it; empty at the end."""
        self.position = self.after_space(self.position)
        return self.text[self.position : self.position + 1]

    def after_space(self, at: int) -> int:
        """Index of the first character from `at` on that is no space."""
        match = _NO_SPACE.search(self.text, at)
        return match.start() if match else len(self.text)

    def goes_on(self, at: int, siblings: Collection[str] | None, *, strictly: bool = False) -> bool:
        """Whether the structure of the call plausibly goes on, or ends, at `at`.

        Args:
            siblings: keys that may follow a comma, empty if unknown; `None` inside a list.
            strictly: the value before was written as documented, so that any key may follow.
        """
        self.guesses += 1
        if self.guesses > _MAX_GUESSES:
            raise UnreadableCall("too many quotes and brackets that do not match")
        at = self.after_space(at)
        if self.text.startswith(QUOTE, at) and not strictly:
            at = self.after_space(at + 1)
        found = self.text[at : at + 1]
        if found in CLOSERS:
            return self._closes(found, at)
        if found == ",":
            return siblings is None or self._key_follows(at + 1, siblings, strictly=strictly)
        return not found

    def plain_end(self, start: int, siblings: Collection[str] | None) -> int:
        """Where text that nothing closes ends; brackets opened inside it belong to it."""
        for counted in (True, False):
            depth = 0
            for match in _STRUCTURE.finditer(self.text, start):
                if match.group() in PAIRS:
                    depth += counted
                elif match.group() in CLOSERS and depth:
                    depth -= 1
                elif not depth and self.goes_on(match.start(), siblings):
                    return match.start()
            if not depth:
                break
        return len(self.text)

    def _closes(self, bracket: str, at: int) -> bool:
        if bracket in self.closers and (
            _AFTER_CLOSER.match(self.text, at + 1) or NEXT_KEY.match(self.text, at + 1)
        ):
            return True
        return _ONLY_CLOSERS.match(self.text, at) is not None

    def _key_follows(self, at: int, siblings: Collection[str], *, strictly: bool) -> bool:
        at = self.after_space(at)
        if self.text[at : at + 1] in ("", ",", *CLOSERS):
            return True
        if strictly and (BARE_KEY.match(self.text, at) or DELIMITED_KEY.match(self.text, at)):
            return True
        match = NEXT_KEY.match(self.text, at)
        if match is None:
            return False
        return (
            not siblings or match.group(1) in siblings or self.text.startswith(QUOTE, match.end())
        )
