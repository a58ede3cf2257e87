"""A compiled grammar, and the matchers that answers follow it with."""

from collections.abc import Callable, Sequence
from typing import Final

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from ..errors import GrammarError

_LIMITS: Final = LLParserLimits(step_lexer_fuel=1_000_000, verbose_errors=False)
"""The lexer may take up to a tenth of a second for a mask it has not seen; all else as the library has it."""


def new_matcher(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    """Compile a grammar, Lark or a list of grammars in JSON.

    Raises:
        GrammarError: the library refuses it.
    """
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=_LIMITS)
    if matcher.is_error():
        raise GrammarError(f"the grammar is refused: {first_line(matcher.get_error())}")
    return matcher


def first_line(message: str) -> str:
    """An error of the library in one line."""
    return " ".join(message.partition("<state>")[0].split())[:200]


class Compiled:
    """A grammar that many answers are held to, one after the other or at once.

    Copies of a matcher share one lexer, and what they learn of it. A copy that asks too much of the lexer
    breaks it for all; so each that finds it broken goes on with one of its own.

    Args:
        new: compiles the grammar.
        writes_json: whether the answer may be JSON, whose texts stand between quotes.
    """

    def __init__(self, new: Callable[[], LLMatcher], *, writes_json: bool) -> None:
        self.writes_json = writes_json
        self._new = new
        self._shared = new()

    def begin(self) -> LLMatcher:
        """A matcher at the beginning."""
        return self._shared.deep_copy()

    def begin_anew(self, ids: Sequence[int]) -> LLMatcher:
        """A matcher behind these tokens that shares nothing, after a shared one broke.

        Raises:
            GrammarError: the grammar cannot be followed so far.
        """
        self._shared = self._new()
        matcher = self._new()
        for id in ids:
            matcher.compute_bitmask()  # which gives the lexer new fuel
            if not matcher.consume_token(id):
                break
        matcher.compute_bitmask()
        if matcher.is_error():
            raise GrammarError(
                f"the grammar cannot be followed any further: {first_line(matcher.get_error())}; "
                "make it simpler"
            )
        return matcher
