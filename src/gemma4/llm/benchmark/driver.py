"""One engine, driven pass by pass, with a clock. Requests are greedy and nothing stops them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import torch

from ...engine.engine import Engine
from ...engine.prompt import Prompt
from ...engine.request import Request
from ...engine.sampling import Sampling
from ...errors import InputError
from .fixed_drafts import FixedDrafts
from .measurement import Round
from .plan import checking_budget, steps_of_reading

Clock = Callable[[], float]
"""Seconds from some moment on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """Drives an engine that serves nobody else meanwhile.

    Attributes:
        clock: seconds.
    """

    engine: Engine
    clock: Clock = field(default=perf_counter)

    def submit(self, ids: Sequence[int], max_tokens: int) -> Request:
        """A greedy request for exactly so many tokens.

        Raises:
            ContextError: more tokens than the context holds.
        """
        request = self.engine.prepare(
            Prompt(ids=torch.tensor(ids)),
            Sampling(temperature=0.0, max_tokens=max_tokens, loop_guard=False),
        )
        return self.engine.submit(request)

    def step(self) -> None:
        """One pass; a request that failed ends the measurement with its error."""
        for update in self.engine.step():
            if update.error is not None:
                raise update.error

    def read(self, requests: Sequence[Request], count: int = 1) -> None:
        """Go on until every request has so many tokens of its answer."""
        while any(request.num_generated < count for request in requests):
            self.step()

    def finish(self) -> None:
        """Go on until nothing runs."""
        while not self.engine.is_idle:
            self.step()

    def drop(self, requests: Sequence[Request]) -> None:
        """End requests that were measured; pages with a key are remembered."""
        for request in requests:
            self.engine.abort(request)

    def time_first_token(self, ids: Sequence[int], depth: int = 0) -> Round:
        """From submitting a prompt to its first token; the first `depth` ids are read beforehand.

        Pages are remembered whole, so up to a page of those is read again and counted.
        """
        if depth:
            self.read([self.submit(ids[:depth], 1)])
        requests: list[Request] = []

        def act() -> None:
            requests.append(self.submit(ids, 1))
            self.read(requests)

        timed = self.time(act)
        self.drop(requests)
        return replace(timed, num_tokens=len(ids) - requests[0].cached_tokens)

    def time_steps(self, prompts: Sequence[Sequence[int]], steps: int) -> Round:
        """So many decoding steps of all prompts together; reading them and a first step do not count.

        Raises:
            InputError: there are not pages for all of them at once.
        """
        lengths = [len(ids) for ids in prompts]
        budget = steps + steps_of_reading(lengths, self.engine.limits.prefill_chunk)
        requests = [self.submit(ids, budget) for ids in prompts]
        self.read(requests, 2)
        before = sum(request.num_generated for request in requests)
        timed = self.time(lambda: self._take_steps(steps))
        made = sum(request.num_generated for request in requests) - before
        self.drop(requests)
        if made < steps * len(prompts):
            raise InputError(
                f"{len(prompts)} streams behind {max(lengths)} tokens made {made} tokens in {steps} steps: "
                f"they did not all run together; pages hold {self.engine.tokens_together} tokens of all "
                "requests: load the model with more kv_memory"
            )
        return replace(timed, num_tokens=made)

    def time_checks(
        self, ids: Sequence[int], rows: int, passes: int, drafts: Sequence[int]
    ) -> Round:
        """Passes that check drafts, beside as many behind the same prompt that check none.

        Args:
            ids: the prompt.
            rows: of a checking pass: the last id and its drafts.
            drafts: at least rows − 1 ids that are hardly ever right.
        """
        fixed = FixedDrafts(drafts)
        self.engine.use_drafting(fixed)
        request = self.submit(ids, checking_budget(rows, passes))
        self.read([request], 2)
        plain = self.time(lambda: self._take_steps(passes))
        fixed.count = rows - 1
        timed = self.time(lambda: self._take_steps(passes))
        self.drop([request])
        self.engine.use_drafting(None)
        return replace(timed, num_tokens=passes * rows, step_seconds=plain.seconds)

    def time(self, action: Callable[[], None]) -> Round:
        """Seconds, passes and profile of an action; its tokens are the caller's to count."""
        self.engine.take_seconds()
        passes = self.engine.counters.steps
        started = self.clock()
        action()
        seconds = self.clock() - started
        return Round(
            seconds=seconds,
            num_tokens=0,
            passes=self.engine.counters.steps - passes,
            profile=self.engine.take_seconds(),
        )

    def _take_steps(self, count: int) -> None:
        for _ in range(count):
            self.step()
