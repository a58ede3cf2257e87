"""Chooses the next token of one request, and remembers what its penalties need. Letters: V vocab."""

import math
import secrets
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SamplingError, VerificationError
from ..ops.sampling import candidates, draw, penalize
from .constraint import Constraint
from .sampling import Sampling
from .token_tally import TokenTally


@dataclass(frozen=True, slots=True)
class Choice:
    """A token; where asked for, its log-probability and the likeliest (id, log-probability) pairs.

    Log-probabilities are the model's own: before penalties, bias, temperature and filters.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class Sampler:
    """The state of one request: which ids were seen and generated, and how many.

    What is drawn depends on the seed, the number of tokens chosen before, and the scores; on nothing
    else. So a draft, an interruption or a neighbour in the batch never changes an answer.
    """

    def __init__(
        self,
        sampling: Sampling,
        *,
        prompt_ids: Tensor,
        vocab_size: int,
        constraint: Constraint | None = None,
    ) -> None:
        """Check ids against the vocabulary and prepare.

        Args:
            constraint: what the answer must obey.

        Raises:
            SamplingError: logit_bias names an id outside the vocabulary.
        """
        self._sampling = sampling
        penalties = (sampling.presence_penalty, sampling.frequency_penalty)
        penalized = sampling.repetition_penalty != 1.0 or any(penalties)
        self._tally = TokenTally(prompt_ids) if penalized else None
        self._bias = self._sparse_bias(vocab_size)
        self._seed = secrets.randbits(64) if sampling.seed is None else sampling.seed
        self._constraint = constraint
        self._chosen = 0

    def choose(self, logits: Tensor) -> Choice:
        """Pick from the float32 logits [V] of the last position.

        Raises:
            VerificationError: a logit is not a finite number.
        """
        logits = logits.cpu()
        if not math.isfinite(logits.sum()):  # one that is no number spoils the sum
            raise VerificationError(
                "the model's scores are not numbers (NaN or infinite): the weights are damaged or the "
                "dtype is too narrow; check the file with `gemma4 doctor --deep`, or load with dtype=float32"
            )
        adjusted = self._adjust(logits)
        if self._constraint is not None:
            adjusted = self._constraint.restrict(adjusted)
        token = self._pick(adjusted, self._chosen)
        self._chosen += 1
        if self._constraint is not None:
            self._constraint.accept(token)
        if self._tally is not None:
            self._tally.add(token)
        if self._sampling.logprobs is None:
            return Choice(token)
        logprobs = torch.log_softmax(logits, dim=0)
        top = logprobs.topk(self._sampling.logprobs)
        pairs = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        return Choice(token, float(logprobs[token]), pairs)

    def guess(self, logits: Tensor, ahead: int) -> int:
        """What would be chosen `ahead` tokens from now if the scores were these [V]; nothing is remembered.

        A drafter asks with its own scores: it guesses the target's choice the better the more alike
        the scores are, also where tokens are drawn.
        """
        return self._pick(self._adjust(logits.cpu()), self._chosen + ahead)

    @property
    def num_chosen(self) -> int:
        """Tokens chosen so far, one that ended the answer included."""
        return self._chosen

    @property
    def period(self) -> int | None:
        """Of the loop that the constraint saw the answer in; None while there is none."""
        return None if self._constraint is None else self._constraint.period

    def check(self) -> None:
        """What penalties count is what was chosen."""
        if self._tally is not None:
            self._tally.check()
            assert self._tally.num_generated == self._chosen

    def _adjust(self, logits: Tensor) -> Tensor:
        if self._tally is not None:
            logits = penalize(
                logits,
                seen=self._tally.seen,
                generated=self._tally.generated,
                counts=self._tally.counts,
                repetition=self._sampling.repetition_penalty,
                presence=self._sampling.presence_penalty,
                frequency=self._sampling.frequency_penalty,
            )
        return logits if self._bias is None else logits.index_add(0, *self._bias)

    def _pick(self, logits: Tensor, step: int) -> int:
        sampling = self._sampling
        if sampling.temperature == 0.0:
            return int(logits.numpy().argmax())  # ten times as fast as torch's
        ids, probabilities = candidates(
            logits,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
        )
        return draw(ids, probabilities, seed=self._seed, step=step)

    def _sparse_bias(self, vocab_size: int) -> tuple[Tensor, Tensor] | None:
        """Ids without repeats, and what is added to their scores."""
        sampling = self._sampling
        named = (*sampling.logit_bias, *sampling.suppress_ids, *sampling.stop_ids)
        wrong = [i for i in named if not 0 <= i < vocab_size]
        if wrong:
            raise SamplingError(
                f"logit_bias, suppress_ids or stop_ids names id {wrong[0]}; "
                f"the vocabulary has 0 to {vocab_size - 1}"
            )
        if not sampling.logit_bias and not sampling.suppress_ids:
            return None
        bias = {**sampling.logit_bias, **dict.fromkeys(sampling.suppress_ids, -math.inf)}
        return torch.tensor(list(bias)), torch.tensor(list(bias.values()), dtype=torch.float32)
