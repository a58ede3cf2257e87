"""Chooses the next token of one request, and remembers what its penalties need. Letters: V vocab."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SamplingError, VerificationError
from ..ops.sampling import candidates, penalize
from .sampling import Sampling


@dataclass(frozen=True, slots=True)
class Choice:
    """A token; where asked for, its log-probability and the likeliest (id, log-probability) pairs.

    Log-probabilities are the model's own: before penalties, bias, temperature and filters.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class Sampler:
    """The state of one request: which ids were seen and generated, and its random stream."""

    def __init__(self, sampling: Sampling, *, prompt_ids: Tensor, vocab_size: int) -> None:
        """Check ids against the vocabulary and prepare.

        Raises:
            SamplingError: logit_bias names an id outside the vocabulary.
        """
        self._sampling = sampling
        self._seen = set(prompt_ids.tolist()) if sampling.repetition_penalty != 1.0 else set()
        counts = sampling.presence_penalty != 0.0 or sampling.frequency_penalty != 0.0
        self._counts = torch.zeros(vocab_size) if counts else None
        self._bias = self._bias_vector(vocab_size)
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def choose(self, logits: Tensor) -> Choice:
        """Pick from the float32 logits [V] of the last position.

        Raises:
            VerificationError: a logit is not a finite number.
        """
        logits = logits.cpu()
        if not bool(logits.isfinite().all()):
            raise VerificationError(
                "the model's scores are not numbers (NaN or infinite): the weights are damaged or the "
                "dtype is too narrow; check the file with `gemma4 doctor --deep`, or load with dtype=float32"
            )
        token = self._pick(self._adjust(logits))
        if self._sampling.repetition_penalty != 1.0:
            self._seen.add(token)
        if self._counts is not None:
            self._counts[token] += 1
        if self._sampling.logprobs is None:
            return Choice(token)
        logprobs = torch.log_softmax(logits, dim=0)
        top = logprobs.topk(self._sampling.logprobs)
        pairs = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        return Choice(token, float(logprobs[token]), pairs)

    def _adjust(self, logits: Tensor) -> Tensor:
        logits = penalize(
            logits,
            seen=torch.tensor(sorted(self._seen), dtype=torch.int64),
            generated_counts=self._counts,
            repetition=self._sampling.repetition_penalty,
            presence=self._sampling.presence_penalty,
            frequency=self._sampling.frequency_penalty,
        )
        return logits if self._bias is None else logits + self._bias

    def _pick(self, logits: Tensor) -> int:
        sampling = self._sampling
        if sampling.temperature == 0.0:
            return int(logits.argmax())
        ids, probabilities = candidates(
            logits,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
        )
        return int(ids[torch.multinomial(probabilities, 1, generator=self._random)])

    def _bias_vector(self, vocab_size: int) -> Tensor | None:
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
        bias = torch.zeros(vocab_size)
        for token, value in sampling.logit_bias.items():
            bias[token] = value
        bias[list(sampling.suppress_ids)] = -torch.inf
        return bias
