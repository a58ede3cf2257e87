"""One answer held to its rule, token by token. Letters: V vocab.

thought ── <channel|> ──▶ free text ── <|tool_call> ──▶ held by the grammar ──▶ the end
   └──────────────────────▶ held by the grammar, where the whole answer is ──▶ the end
"""

from collections.abc import Callable, Iterable

import numpy as np
from torch import Tensor

from ..errors import GrammarError, SamplingError
from .held import Held
from .masks import Masks, bits_of, no_bits
from .rules import AnswerRule
from .schema.findings import Loosened
from .special_ids import SpecialIds
from .thought import Channel, ThoughtState


class AnswerConstraint:
    """See `engine.constraint.Constraint`. Made by `Grammars.constraint`, one for each answer.

    Args:
        hold: begins what the grammar holds; None where nothing is ever held.
        loosened: what of schemas is not enforced.

    Attributes:
        engine: the library behind it.
        warnings: each spot of a schema that is not enforced, with its pointer and keyword.
    """

    engine = "llguidance"

    def __init__(
        self,
        rule: AnswerRule,
        masks: Masks,
        special: SpecialIds,
        *,
        hold: Callable[[], Held] | None = None,
        loosened: Iterable[Loosened] = (),
    ) -> None:
        self.warnings = tuple(loosened)
        self._masks, self._special, self._hold = masks, special, hold
        self._thought = ThoughtState(rule.thought, opener=special.opener, closer=special.closer)
        self._bits = no_bits(masks.vocab_size)
        self._is_bound = rule.format is not None or rule.tools is not None
        required = rule.tools is not None and rule.tools.mode == "required"
        self._held = hold() if hold and (rule.format is not None or required) else None
        self._may_think_first = not rule.thought.opens_thought  # else the thought is there already
        self._never = [special.caller] if rule.tools is not None and hold is None else []

    @property
    def closed_thought(self) -> bool:
        """Whether the thought was closed because its budget was used up."""
        return self._thought.closed

    @property
    def ended_loops(self) -> int:
        """How many texts, lists and numbers were closed because they went on without end."""
        return 0 if self._held is None else self._held.ended_loops

    @property
    def period(self) -> int | None:
        """See `Constraint`."""
        return None if self._held is None else self._held.period

    def restrict(self, logits: Tensor) -> Tensor:
        """See `Constraint`.

        Raises:
            GrammarError: the grammar has come to a dead end.
            SamplingError: the request's own settings rule out every token that may come.
        """
        if self._thought.channel is Channel.OPEN:
            return self._restrict_thought(logits)
        if self._held is None:
            shut = [] if self._thought.may_open else [self._special.opener]
            return self._without([*self._never, *shut], logits)
        self._held.fill(self._bits)
        if self._may_think_first and self._thought.may_open and self._special.opener is not None:
            self._bits |= bits_of([self._special.opener], self._masks.vocab_size)
        left = self._masks.apply(self._bits, logits)
        if left.numpy().max() == -np.inf:
            self._explain()
        return left

    def accept(self, token: int) -> None:
        """Take the token that was chosen.

        Raises:
            GrammarError: it was not allowed.
        """
        if self._thought.accept(token):
            self._may_think_first = False
            return
        self._may_think_first = False
        if self._held is None and self._hold is not None and token == self._special.caller:
            self._held = self._hold()
        if self._held is not None:
            self._held.accept(token)

    def _restrict_thought(self, logits: Tensor) -> Tensor:
        special = self._special
        if self._thought.must_close and special.closer is not None:
            return self._masks.only(special.closer)
        if not self._is_bound:
            return logits
        # The thought must end by itself, or what comes after it would be missing.
        return self._without([special.opener, special.caller, *special.ends], logits)

    def _without(self, ids: Iterable[int | None], logits: Tensor) -> Tensor:
        known = [id for id in ids if id is not None]
        return self._masks.without(known, logits) if known else logits

    def _explain(self) -> None:
        if self._bits.any():
            raise SamplingError(
                "suppress_ids or logit_bias rule out every token that the grammar allows here; "
                "leave them out"
            )
        raise GrammarError(
            "the grammar has come to a dead end: nothing can complete what it allowed"
        )
