"""The special tokens that shape an answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..text.tokens.special_tokens import CHANNEL_BEGIN, CHANNEL_END, TOOL_CALL_BEGIN


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids; None where the vocabulary, as Gemma 3's, has no such token.

    Attributes:
        opener, closer: of a thought. caller: opens a call. ends: end an answer.
    """

    opener: int | None
    closer: int | None
    caller: int | None
    ends: frozenset[int]


def read_special_ids(special: Mapping[str, int], ends: Collection[int]) -> SpecialIds:
    """Find them by name."""
    return SpecialIds(
        opener=special.get(CHANNEL_BEGIN),
        closer=special.get(CHANNEL_END),
        caller=special.get(TOOL_CALL_BEGIN),
        ends=frozenset(ends),
    )
