"""What is being written, as far as loops go: inside a text, between the signs of JSON, or in a call."""

from ..engine.loop_guard import LONGEST_PERIOD, LoopGuard

TEXT_PERIOD = 16
TEXT_TOKENS = 256
BLANK_TOKENS = 64
DIGIT_TOKENS = 64
DOCUMENT_TOKENS = 896  # a little before the engine's own guard would end the answer

_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_OPENERS, _CLOSERS = frozenset(b"{["), frozenset(b"}]")


class Writing:
    """Follows what comes, token by token, and sees loops much sooner than the engine's guard.

    Inside one text a block of at most 16 tokens repeated over 256 is a loop, and so are 64 tokens of nothing
    but white space. 64 tokens of digits are too many for a number. Over a whole JSON document the mark is
    a little below the engine's.

    Args:
        delimiter: id of the token that texts stand between in Gemma's calls; None is JSON, with quotes.

    Attributes:
        in_text: whether the next token stands inside a text.
        depth: of lists and maps.
        text_period, document_period: of the loop seen, while it goes on; None without.
        number_is_long: whether a number has far more digits than any number means.
    """

    def __init__(self, delimiter: int | None) -> None:
        self._delimiter = delimiter
        self._text_guard = LoopGuard(TEXT_PERIOD, TEXT_TOKENS)
        self._document_guard = LoopGuard(LONGEST_PERIOD, DOCUMENT_TOKENS)
        self._escaped = False
        self._blanks = 0
        self._digits = 0
        self.number_is_long = False
        self.in_text = False
        self.depth = 0
        self.text_period: int | None = None
        self.document_period: int | None = None

    def accept(self, token: int, content: bytes) -> None:
        """Take a token and its bytes; none where it is a special token."""
        inside = self.in_text
        if token == self._delimiter:
            self.in_text = not self.in_text
            inside = False
        elif self._delimiter is None or not self.in_text:
            inside = not self._read(content) and inside
        self.document_period = self._document_guard.push(token)
        self._digits = self._digits + 1 if not inside and content.isdigit() else 0
        self.number_is_long = self._digits >= DIGIT_TOKENS
        if not inside:
            self._text_guard.forget()
            self._blanks, self.text_period = 0, None
            return
        self._blanks = self._blanks + 1 if content.isspace() else 0
        found = self._text_guard.push(token)
        if found is None and self._blanks >= BLANK_TOKENS:
            found = 1
        self.text_period = found or self.text_period

    def _read(self, content: bytes) -> bool:
        """Follow quotes and brackets; whether a text began or ended."""
        crossed = False
        for byte in content:
            if self.in_text:
                if self._escaped:
                    self._escaped = False
                elif byte == _BACKSLASH:
                    self._escaped = True
                elif byte == _QUOTE:
                    self.in_text, crossed = False, True
            elif byte == _QUOTE and self._delimiter is None:
                self.in_text = crossed = True
            elif byte in _OPENERS:
                self.depth += 1
            elif byte in _CLOSERS:
                self.depth -= 1
        return crossed
