"""What is measured: lengths, depths, streams, rounds; and the prompts, random words that mean nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...config import PAGE_TOKENS
from ...errors import ContextError, InputError
from ...fit.activations import PREFILL_CHUNK

BOS = 2
CHECKING_PASSES = 8
"""Passes of a round that measures checking drafts."""

FIRST_WORD, LAST_WORD = 1000, 200_000
"""Ids that are plain words in Gemma's vocabulary: no bytes, no control tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Measurements of one model.

    Attributes:
        prompt: tokens of the prompts whose reading is measured; 0: none are.
        steps: tokens that each stream decodes in a round; 0: none.
        depths: tokens in front of what is measured.
        streams: how many decode together, each number by itself.
        checked: tokens of passes that check drafts, each number by itself, the last token included.
        rounds: that are counted, behind one that is not.

    Raises:
        InputError: a number out of its range, or nothing to measure.
    """

    prompt: int = 512
    steps: int = 64
    depths: tuple[int, ...] = (0,)
    streams: tuple[int, ...] = (1,)
    checked: tuple[int, ...] = ()
    rounds: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        limits = {
            "prompt": ((self.prompt,), 0),
            "steps": ((self.steps,), 0),
            "depth": (self.depths, 0),
            "concurrency": (self.streams, 1),
            "verify": (self.checked, 2),
            "rounds": ((self.rounds,), 1),
        }
        for name, (numbers, least) in limits.items():
            for number in numbers:
                if number < least:
                    raise InputError(f"{name} {number} is too little; give {least} or more")
        if not self.prompt and not self.steps and not self.checked:
            raise InputError("there is nothing to measure; give a prompt or steps above 0")

    @property
    def context(self) -> int:
        """Tokens of the longest request, in whole pages; so many for each stream hold all of them."""
        return max(
            max(self._longest(depth), _in_pages(-(-self._tokens(depth) // max(self.streams))))
            for depth in self.depths
        )

    def check_context(self, limit: int) -> None:
        """Compare with what a model holds.

        Raises:
            ContextError: its context is too short for the largest measurement.
        """
        if self.context > limit:
            raise ContextError(
                f"a depth of {max(self.depths)} and what is measured behind it need a context of "
                f"{self.context} tokens and the model holds {limit}; give a smaller depth, or measure less "
                "behind it",
                needed=self.context,
                limit=limit,
            )

    def _longest(self, depth: int) -> int:
        """Tokens of the longest request."""
        front, needed = max(depth, 1), [depth + self.prompt + 1]
        if self.steps:
            budgets = [
                self.steps + steps_of_reading([front] * streams, PREFILL_CHUNK)
                for streams in self.streams
            ]
            needed.append(front + max(budgets))
        needed += [front + checking_budget(rows, CHECKING_PASSES) for rows in self.checked]
        return _in_pages(max(needed))

    def _tokens(self, depth: int) -> int:
        """Tokens that all requests of the largest measurement have together, in whole pages."""
        front = max(depth, 1)
        # What is left of a round's prompt must not take the place of the front.
        needed = [2 * _in_pages(self.prompt + 1) + _in_pages(depth)] if self.prompt else []
        if self.steps:
            needed += [
                streams
                * _in_pages(front + self.steps + steps_of_reading([front] * streams, PREFILL_CHUNK))
                for streams in self.streams
            ]
        needed += [
            _in_pages(front + checking_budget(rows, CHECKING_PASSES)) for rows in self.checked
        ]
        return max(needed)


def checking_budget(rows: int, passes: int) -> int:
    """Most tokens of an answer that so many passes with drafts and as many without may make."""
    return 4 + passes * (1 + rows)


def _in_pages(tokens: int) -> int:
    return -(-tokens // PAGE_TOKENS) * PAGE_TOKENS


def steps_of_reading(lengths: Sequence[int], chunk: int) -> int:
    """More than the first of these prompts may decode until the last is read and has decoded two tokens."""
    return sum(lengths) // max(1, chunk - len(lengths)) + len(lengths) + 2


def random_prompt(depth: int, length: int, vocab_size: int, *, seed: int) -> list[int]:
    """`<bos>` and words: the first `depth` ids the same for every seed, `length` more of its own.

    At depth 0 `<bos>` is one of the `length`.
    """
    low, high = min(FIRST_WORD, vocab_size // 4), min(LAST_WORD, vocab_size)
    shared, own = random.Random(0), random.Random(seed)
    front = [shared.randrange(low, high) for _ in range(max(0, depth - 1))]
    behind = [own.randrange(low, high) for _ in range(length if depth else length - 1)]
    return [BOS, *front, *behind]
