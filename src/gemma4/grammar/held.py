"""The part of an answer that a grammar holds: which tokens may come, and what is done about loops."""

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from ..text.tokens.special_tokens import STRING, TOOL_CALL_BEGIN
from .masks import Bits
from .matching import Compiled
from .signs import Signs
from .writing import Writing

MAX_DEPTH = 48
"""Lists and maps within each other. What reads calls back goes to 64; a token may open several at once."""
MANY_LOOPS = 8
"""From so many on everything is closed as soon as it may be."""


class Held:
    """Follows a grammar.

    Args:
        guards: whether loops are ended.

    Attributes:
        ended_loops: how many texts, lists and numbers were closed because they went on without end.
        period: of a loop inside a call. It is not closed, lest a tool be run with half a text.
    """

    def __init__(
        self, compiled: Compiled, signs: Signs, library: LLTokenizer, *, guards: bool
    ) -> None:
        self.ended_loops = 0
        self.period: int | None = None
        self._compiled = compiled
        self._matcher: LLMatcher = compiled.begin()
        self._ids: list[int] = []
        # The library knows no more tokens than the tokenizer; what lies behind is never allowed.
        self._num_bytes = (library.vocab_size + 31) // 32 * 4
        self._writes_json = compiled.writes_json
        self._signs, self._library, self._guards = signs, library, guards
        self._writing: Writing | None = None
        self._begun = False
        self._closing = False

    def fill(self, bits: Bits) -> None:
        """Write the mask of the tokens that may come.

        Raises:
            GrammarError: the grammar became too complex to follow.
        """
        self._matcher.unsafe_compute_mask_ptr(bits.ctypes.data, self._num_bytes)
        if self._matcher.is_error():
            self._matcher = self._compiled.begin_anew(self._ids)
            self._matcher.unsafe_compute_mask_ptr(bits.ctypes.data, self._num_bytes)
        if self._writing is not None:
            self._narrow(bits, self._writing)

    def accept(self, token: int) -> None:
        """Take the token that was chosen.

        Raises:
            GrammarError: it was not allowed, or the grammar became too complex to follow.
        """
        if token in self._signs.stop_ids:
            return
        self._ids.append(token)
        if not self._matcher.consume_token(token):
            self._matcher = self._compiled.begin_anew(self._ids)
        if not self._begun:
            self._begin(token)
        if self._writing is None:
            return
        special = self._library.is_special_token(token)
        self._writing.accept(token, b"" if special else self._library.decode_bytes([token]))
        if self._guards:
            self._look_for_loops(self._writing)

    def _begin(self, token: int) -> None:
        """The first token tells whether a call is written or what the format asks for."""
        self._begun = True
        if token == self._signs.specials.get(TOOL_CALL_BEGIN):
            self._writing = Writing(self._signs.specials[STRING])
            self._writes_json = False
        elif self._writes_json:
            self._writing = Writing(None)

    def _look_for_loops(self, writing: Writing) -> None:
        looping = writing.number_is_long
        if self._writes_json:
            looping |= writing.text_period is not None or writing.document_period is not None
        else:
            self.period = writing.text_period
        self.ended_loops += looping and not self._closing
        self._closing = looping

    def _narrow(self, bits: Bits, writing: Writing) -> None:
        """Leave only what closes, where it may come and should."""
        signs = self._signs
        if writing.depth >= MAX_DEPTH and not writing.in_text:
            _keep(bits, ~signs.openers)
        if self._closing or self.ended_loops >= MANY_LOOPS:
            wanted = (
                (signs.quote,) if writing.in_text else (signs.stops, signs.closers, signs.comma)
            )
            for mask in wanted:
                if _keep(bits, mask):
                    return


def _keep(bits: Bits, wanted: Bits) -> bool:
    """Clear all bits but the wanted ones, if any of these is set."""
    both = bits & wanted
    if not both.any():
        return False
    np.copyto(bits, both)
    return True
