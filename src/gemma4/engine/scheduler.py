"""Which tokens of which requests the next step computes. Knows pages and lengths, no tensors.

    waiting   ordered by arrival; the first is admitted when pages for all its ids can be had
    running   ordered by arrival; when pages run out the last is preempted and waits again, first in line

Everything that runs came before everything that waits, so whoever came first always gets on.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..config import PAGE_TOKENS, KVGroup
from ..errors import EnvironmentFault
from ..fit.pages import held_pages
from ..model.page_table import PageTable, blocks_of, first_kept_block
from .limits import Limits
from .page_cache import PageCache
from .request import Request, RequestState

SPARE_TOKENS: Final = 2 * PAGE_TOKENS
"""Room to grow, for everyone, that there must be before a preempted request goes on beside others."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens [start, end) of a request; the last of them are `drafted`: guesses behind its ids.

    Attributes:
        num_logits: rows whose logits are wanted: the last id's and each draft's; 0 inside a prompt.
    """

    request: Request
    start: int
    end: int
    num_logits: int
    drafted: tuple[int, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Rows of the pass."""
        return self.end - self.start

    @property
    def reads_prompt(self) -> bool:
        """True if it is part of a prompt, or of a preempted request's ids."""
        return self.num_logits < self.num_tokens


class Scheduler:
    """Continuous batching over one page cache."""

    def __init__(self, cache: PageCache, limits: Limits) -> None:
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.preemptions = 0
        self._cache = cache
        self._limits = limits

    def add(self, request: Request) -> None:
        """Let a request wait for its turn.

        Raises:
            EnvironmentFault: too many wait.
        """
        if len(self.waiting) >= self._limits.max_waiting:
            raise EnvironmentFault(
                f"{len(self.waiting)} requests wait and the limit is {self._limits.max_waiting}; "
                "try again when some are answered"
            )
        request.state = RequestState.WAITING
        self.waiting.append(request)

    def plan(self, drafts: Mapping[int, tuple[int, ...]]) -> list[Slice]:
        """The next step, with pages for all of it: who decodes, then prompts, then newcomers.

        Args:
            drafts: guessed ids of decoding requests, by number; they are left out if pages are short: no
                draft takes what another's next token, or prompt, needs.
        """
        slices: dict[int, Slice] = {}
        preemptions = self.preemptions
        running = list(self.running)
        for request in running:
            if request.state is RequestState.RUNNING and request.is_decoding:
                self._decode(slices, request)
        drafted = sum(len(drafts.get(number, ())) for number in slices)
        for request in running:
            if request.state is RequestState.RUNNING and not request.is_decoding:
                self._read_prompt(slices, request, self._room(slices) - drafted)
        for number in slices:
            self._extend(slices, number, drafts.get(number, ()))
        # After a preemption newcomers would take what was just made free.
        while self.preemptions == preemptions and self._room(slices) > 0 and self._admit():
            self._read_prompt(slices, self.running[-1], self._room(slices))
        return list(slices.values())

    def stop(self, request: Request, state: RequestState) -> None:
        """Take a request out, whatever it is doing; its pages are free at once."""
        if request.state is RequestState.WAITING:
            self.waiting.remove(request)
        elif request.state is RequestState.RUNNING:
            self.running.remove(request)
            self._release(request)
        request.state = state

    def check(self) -> None:
        """Both lines are in order, and the pages are those of the running requests."""
        line = [request.number for request in (*self.running, *self.waiting)]
        assert line == sorted(set(line)), "requests are out of order"
        assert len(self.running) <= self._limits.max_requests
        assert all(request.state is RequestState.RUNNING for request in self.running)
        assert all(request.state is RequestState.WAITING for request in self.waiting)
        for request in (*self.running, *self.waiting):
            request.check()
        self._cache.check(request.table for request in self.running)

    def _room(self, slices: Mapping[int, Slice]) -> int:
        """Tokens that the step can still take."""
        return self._limits.prefill_chunk - sum(part.num_tokens for part in slices.values())

    def _decode(self, slices: dict[int, Slice], request: Request) -> None:
        start = request.table.length
        if self._reserve(slices, request, start + 1):
            slices[request.number] = Slice(request, start, start + 1, 1)

    def _extend(self, slices: dict[int, Slice], number: int, drafted: tuple[int, ...]) -> None:
        """Let a decoding request check its drafts, if pages are left."""
        part = slices[number]
        end = part.end + len(drafted)
        if drafted and self._cache.reserve(part.request.table, end):
            slices[number] = Slice(part.request, part.start, end, 1 + len(drafted), drafted)

    def _read_prompt(self, slices: dict[int, Slice], request: Request, room: int) -> None:
        start = request.table.length
        if room <= 0:
            return
        end = request.spans.chunk_end(start, min(start + room, len(request.ids)))
        if end > start + room and any(part.reads_prompt for part in slices.values()):
            return  # a whole image waits for a step of its own
        if self._reserve(slices, request, end):
            slices[request.number] = Slice(request, start, end, int(end == len(request.ids)))

    def _reserve(self, slices: dict[int, Slice], request: Request, end: int) -> bool:
        """Get pages, at the cost of those who came last; False if that is the request itself."""
        while not self._cache.reserve(request.table, end):
            victim = self.running[-1]
            slices.pop(victim.number, None)
            self._preempt(victim)
            if victim is request:
                return False
        return True

    def _preempt(self, request: Request) -> None:
        assert request is self.running[-1]
        self.running.pop()
        self._release(request)
        request.state = RequestState.WAITING
        request.preemptions += 1
        self.preemptions += 1
        self.waiting.appendleft(request)

    def _release(self, request: Request) -> None:
        """Take back its pages; those at its end are the likeliest to be wanted again."""
        self._cache.keep(request.page_keys(request.table.length // PAGE_TOKENS))
        self._cache.close(request.table)

    def _admit(self) -> bool:
        """Let the first in line run if all its ids find pages beside what the others still need."""
        if not self.waiting or len(self.running) >= self._limits.max_requests:
            return False
        request = self.waiting[0]
        # At least one token is computed, for its logits.
        keys = request.page_keys((len(request.ids) - 1) // PAGE_TOKENS)
        self._cache.open(request.table, keys, request.spans.is_cut)
        if not self._has_pages_for(request):
            self._cache.close(request.table)
            return False
        self.waiting.popleft()
        self.running.append(request)
        request.state = RequestState.RUNNING
        if not request.preemptions:
            request.cached_tokens = request.table.length
        return True

    def _has_pages_for(self, newcomer: Request) -> bool:
        """Whether it finds pages; once preempted, with some to spare, or it would be preempted again soon."""
        ahead = SPARE_TOKENS if newcomer.preemptions and self.running else 0
        promised = [self._missing(request, ahead) for request in (*self.running, newcomer)]
        return all(
            sum(missing) <= pool.num_available
            for missing, pool in zip(zip(*promised, strict=True), self._cache.pools, strict=True)
        )

    def _missing(self, request: Request, ahead: int) -> list[int]:
        """Pages of each group that the ids a request has now, and so many more, will still take."""
        table = request.table
        total = min(len(request.ids) + ahead, request.num_prompt + request.budget)
        chunk = max(self._limits.prefill_chunk, request.spans.longest)
        new = blocks_of(total) - table.num_blocks
        return [
            max(0, min(new, held_pages(group, total, chunk) - _held(group, table)))
            for group in self._cache.groups
        ]


def _held(group: KVGroup, table: PageTable) -> int:
    """Pages of a group that a table has."""
    return table.num_blocks - first_kept_block(group, table.length)
