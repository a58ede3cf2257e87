"""Many requests through one model: continuous batching over paged keys and values. Ids in, ids out.

    prepare → submit → step, step, … → the request's last update has an end or an error

A step plans (scheduler), packs (packing), runs the model once, and lets each request's own sampler choose.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import count
from time import perf_counter
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..config import PAGE_TOKENS
from ..errors import InputError
from ..model.batch import Batch
from ..model.gemma4 import Output
from ..model.paged_kv import PagedKV, PageStorage
from .capacity import check_context, check_pages, tokens_together
from .constraint import Constraint
from .drafting import Drafting, Passed
from .end import End
from .faults import Faults
from .limits import Limits
from .loop_guard import LoopGuard
from .one_torch_thread import one_torch_thread
from .packing import pack
from .page_cache import PageCache
from .prompt import Prompt
from .request import Request, RequestState
from .sampler import Choice, Sampler
from .sampling import Sampling
from .scheduler import Scheduler, Slice
from .speculation.acceptance import accept
from .update import Counters, Update

Forward = Callable[[Batch], Output]


@runtime_checkable
class TimedForward(Protocol):
    """A forward that counts its time; `model.native.NativeDecoder` is one."""

    def take_seconds(self) -> dict[str, float]:
        """Seconds in each kind of step since the last call."""
        ...


class Engine:
    """Runs requests together.

    Args:
        forward: one pass; its batches carry a `PagedKV` over `storage`.
        vocab_size: of the logits.
        drafting: guesses tokens ahead.
        own_threads: `forward` computes with threads that are not torch's.

    Attributes:
        faults: of passes and drafts so far.
    """

    def __init__(
        self,
        forward: Forward,
        storage: PageStorage,
        *,
        vocab_size: int,
        limits: Limits,
        drafting: Drafting | None = None,
        own_threads: bool = False,
    ) -> None:
        self.storage = storage
        self.limits = limits
        self._forward = forward
        self._vocab_size = vocab_size
        self._beside = one_torch_thread if own_threads else nullcontext()
        self._cache = PageCache(storage.groups, storage.num_pages)
        self._scheduler = Scheduler(self._cache, limits)
        self._drafting = drafting
        self._passed: list[Passed] = []
        self._numbers = count()
        self._steps = 0
        self.faults = Faults()

    @property
    def tokens_together(self) -> int:
        """Tokens of all requests together that the pages hold; `limits.context` is of one."""
        return tokens_together(self.storage.groups, self.storage.num_pages)

    def check_length(self, length: int) -> None:
        """Refuse a prompt of so many tokens that leaves no room for an answer.

        Raises:
            ContextError: with the numbers.
        """
        check_context(length, self.limits.context, self.tokens_together)

    def prepare(
        self,
        prompt: Prompt,
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        constraint: Constraint | None = None,
    ) -> Request:
        """Check a request; nothing runs until it is submitted.

        Args:
            stop_ids: ids that end the answer; they are no part of it.
            constraint: what the answer must obey.

        Raises:
            ContextError: the prompt leaves no room for one token, or there are not as many pages as
                prompt and answer may need.
            InputError: the prompt has an id outside the vocabulary.
            SamplingError: the settings name one.
        """
        _check_ids(prompt.ids, self._vocab_size)
        length = prompt.ids.shape[0]
        self.check_length(length)
        room = self.limits.context - length
        budget = room if sampling.max_tokens is None else min(room, sampling.max_tokens)
        by_request = budget < room or sampling.max_tokens == room
        request = Request(
            prompt=prompt,
            sampler=Sampler(
                sampling,
                prompt_ids=prompt.ids,
                vocab_size=self._vocab_size,
                constraint=constraint,
            ),
            guard=LoopGuard() if sampling.loop_guard else None,
            stop_ids=stop_ids,
            budget=budget,
            at_budget=End("length" if by_request else "context"),
            num_groups=len(self.storage.groups),
        )
        check_pages(
            request,
            self.storage.groups,
            self.storage.num_pages,
            prefill_chunk=self.limits.prefill_chunk,
        )
        return request

    def submit(self, request: Request) -> Request:
        """Let a prepared request wait for its turn.

        Raises:
            EnvironmentFault: too many wait.
        """
        assert request.state is RequestState.NEW, f"request {request.number} was submitted before"
        request.number = next(self._numbers)  # the order of arrival
        self._scheduler.add(request)
        return request

    @torch.inference_mode()
    def step(self) -> list[Update]:
        """One pass for all that run; nothing if no request is there."""
        with self._beside:
            return self._step()

    def _step(self) -> list[Update]:
        slices = self._scheduler.plan(self._propose())
        if not slices:
            assert not self._scheduler.waiting, "requests wait though nothing runs"
            return []
        self._steps += 1
        started = perf_counter()
        updates = [self._update(part, result) for part, result in self._run(slices)]
        reads_prompt = any(part.reads_prompt for part in slices)
        self._learn(None if reads_prompt else perf_counter() - started)
        return updates

    def abort(self, request: Request) -> None:
        """End a request in whatever state it is; its pages are free at once."""
        if not request.is_over:
            self._stop(request, RequestState.ABORTED)

    def use_drafting(self, drafting: Drafting | None) -> None:
        """Guess with this from now on, or not at all. Only while the engine is idle."""
        assert self.is_idle, "drafts of running requests would be forgotten"
        self._drafting = drafting
        self.faults.drafting = None

    def take_seconds(self) -> dict[str, float]:
        """Seconds in each kind of step of the model since the last call; empty where none are counted."""
        return self._forward.take_seconds() if isinstance(self._forward, TimedForward) else {}

    @property
    def is_idle(self) -> bool:
        """True if no request waits or runs."""
        return not self._scheduler.running and not self._scheduler.waiting

    @property
    def counters(self) -> Counters:
        """Where it stands."""
        pools = self._cache.pools
        return Counters(
            steps=self._steps,
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            preemptions=self._scheduler.preemptions,
            evictions=sum(pool.evictions for pool in pools),
            pages_held=tuple(pool.num_held for pool in pools),
            pages_cached=tuple(pool.num_cached for pool in pools),
            pages=tuple(pool.num_pages for pool in pools),
            faults=self.faults.count,
            last_fault=self.faults.last,
        )

    def check(self) -> None:
        """Every part is sound."""
        self._scheduler.check()
        self.faults.check()
        assert not self._passed, "a pass was not learnt of"
        if self._drafting is not None:
            self._drafting.check()

    def _propose(self) -> Mapping[int, tuple[int, ...]]:
        """Drafts by request number, none longer than the answer may still be."""
        decoding = [
            request
            for request in self._scheduler.running
            if request.is_decoding and request.num_generated
        ]
        if self._drafting is None or not decoding:
            return {}
        kv = PagedKV(self.storage, [request.table for request in decoding])
        try:
            drafts = self._drafting.propose(decoding, kv)
        except Exception as error:
            self._stop_drafting(error)
            return {}
        # The last token of an answer needs no draft behind it.
        return {
            request.number: tuple(drafts[request.number])[
                : request.budget - request.num_generated - 1
            ]
            for request in decoding
            if request.number in drafts
        }

    def _run(self, slices: Sequence[Slice]) -> list[tuple[Slice, Output | Exception]]:
        """The pass, request by request; where it fails each runs alone, so that only the guilty fail."""
        try:
            batch = pack(slices, PagedKV(self.storage, [part.request.table for part in slices]))
            output = self._forward(batch)
        except Exception as error:  # whatever it is, it is told to whom it concerns
            self.faults.note_pass(error, repeats=len(slices) > 1)
            if len(slices) == 1:
                return [(slices[0], error)]
            return [result for part in slices for result in self._run([part])]
        counts = [part.num_logits for part in slices]
        rows = zip(output.hidden.split(counts), output.logits.split(counts), strict=True)
        return [(part, Output(*both)) for part, both in zip(slices, rows, strict=True)]

    def _update(self, part: Slice, result: Output | Exception) -> Update:
        if isinstance(result, Exception):
            return self._fail(part.request, result)
        try:
            return self._advance(part, result)
        except Exception as error:  # a sampler or a constraint concerns its own request only
            return self._fail(part.request, error)

    def _advance(self, part: Slice, output: Output) -> Update:
        """Count what was computed, and choose if the ids are at their end."""
        request = part.request
        prefilled = None if request.num_generated else min(part.end, request.num_prompt)
        self._count(request, part.end - len(part.drafted))
        if not part.num_logits:
            return Update(request=request, prefilled=prefilled)
        choices: list[Choice] = []
        end = None if request.budget else request.at_budget
        if end is None:
            for choice in accept(request.sampler.choose, output.logits, part.drafted):
                choices.append(choice)
                end = request.take(choice)
                if end is not None:
                    break
        if choices and self._drafting is not None:
            self._passed.append(
                Passed(
                    request=request,
                    drafted=part.drafted,
                    chosen=tuple(choice.id for choice in choices),
                    hidden=output.hidden[len(choices) - 1],
                    read_prompt=part.reads_prompt or prefilled is not None,
                )
            )
        if end is None:
            self._count(request, len(request.ids) - 1)
        else:
            self._stop(request, RequestState.FINISHED)
            if end.reason == "stop":
                choices.pop()  # an id that stops is no part of the answer
        return Update(request=request, prefilled=prefilled, choices=tuple(choices), end=end)

    def _count(self, request: Request, length: int) -> None:
        """Count so many of its ids as computed."""
        full, before = length // PAGE_TOKENS, request.table.length
        keys = request.page_keys(full) if full > before // PAGE_TOKENS else []
        self._cache.advance(request.table, length, keys)
        if before < request.num_prompt <= length:
            self._cache.keep(request.page_keys(request.num_prompt // PAGE_TOKENS))

    def _learn(self, seconds: float | None) -> None:
        passed, self._passed = self._passed, []
        if self._drafting is None or not passed:
            return
        try:
            self._drafting.learn(passed, seconds=seconds)
        except Exception as error:
            self._stop_drafting(error)
            return
        for one in passed:
            if one.request.is_over:
                self._drafting.forget(one.request)

    def _stop_drafting(self, error: Exception) -> None:
        """Go on without guesses: no answer depends on them."""
        self.faults.note_drafting(error)
        self._drafting = None

    def _fail(self, request: Request, error: Exception) -> Update:
        self._stop(request, RequestState.FAILED)
        request.error = error
        return Update(request=request, error=error)

    def _stop(self, request: Request, state: RequestState) -> None:
        self._scheduler.stop(request, state)
        if self._drafting is not None and state is not RequestState.FINISHED:
            self._drafting.forget(request)  # of one that finished there is still to learn


def _check_ids(ids: Tensor, vocab_size: int) -> None:
    """Kernels look rows up without asking whether a table has them."""
    wrong = ids[(ids < 0) | (ids >= vocab_size)]
    if wrong.numel():
        raise InputError(
            f"the prompt has id {int(wrong[0])}; the vocabulary has 0 to {vocab_size - 1}"
        )
