"""One request from prompt to end: its ids, what is computed of them, and how its answer is chosen.

    ids        prompt 0 ………………… num_prompt ………… generated …………… len(ids)
    computed   0 ………………………………………………… table.length                 keys and values are stored
    remaining                                  len(ids) − table.length: 1 while decoding

A request that was preempted keeps its ids and computes them again.
"""

from enum import StrEnum

from ..model.page_table import PageTable
from .end import End
from .loop_guard import LoopGuard
from .page_keys import PageKeys
from .prompt import Prompt
from .sampler import Choice, Sampler
from .spans import ImageSpans
from .speculation.report import SpeculationReport


class RequestState(StrEnum):
    """Where a request stands. NEW is checked and not yet submitted."""

    NEW = "new"
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    ABORTED = "aborted"
    FAILED = "failed"


class Request:
    """Made by `Engine.prepare`; the engine moves it along.

    Attributes:
        number: order of arrival, and its name in the engine; −1 before.
        ids: of prompt and answer.
        table: its pages; `table.length` tokens are computed.
        budget: most tokens of the answer. at_budget: the end that it comes to there.
        cached_tokens: of the prompt, found in pages of earlier requests.
        preemptions: how often its pages were taken for others and it had to begin again.
        error: why it failed.
        speculation: what drafts did for it, once it is over; None without drafts.
    """

    def __init__(
        self,
        *,
        prompt: Prompt,
        sampler: Sampler,
        guard: LoopGuard | None,
        stop_ids: frozenset[int],
        budget: int,
        at_budget: End,
        num_groups: int,
    ) -> None:
        self.number = -1
        self.prompt = prompt
        self.sampler = sampler
        self.stop_ids = stop_ids
        self.budget = budget
        self.at_budget = at_budget
        self.ids: list[int] = prompt.ids.tolist()
        self.num_prompt = len(self.ids)
        self.soft_rows: list[int] = [] if prompt.soft_rows is None else prompt.soft_rows.tolist()
        self.spans = ImageSpans(None if prompt.spans is None else prompt.spans.tolist())
        self.table = PageTable(num_groups)
        self.state = RequestState.NEW
        self.cached_tokens = 0
        self.preemptions = 0
        self.error: Exception | None = None
        self.speculation: SpeculationReport | None = None
        self._guard = guard
        self._keys = PageKeys(self.soft_rows, prompt.media)

    @property
    def remaining(self) -> int:
        """Ids whose keys and values are not computed."""
        return len(self.ids) - self.table.length

    @property
    def num_generated(self) -> int:
        """Tokens of the answer so far."""
        return len(self.ids) - self.num_prompt

    @property
    def is_decoding(self) -> bool:
        """True if only the last id is not computed."""
        return self.remaining == 1

    @property
    def is_over(self) -> bool:
        """True if nothing more will come."""
        return self.state in (RequestState.FINISHED, RequestState.ABORTED, RequestState.FAILED)

    def page_keys(self, num_blocks: int) -> list[bytes]:
        """Keys of its first blocks."""
        return self._keys.first(num_blocks, self.ids)

    def take(self, choice: Choice) -> End | None:
        """Take the next token; the end if it is one. An id that stops is no part of the answer."""
        if choice.id in self.stop_ids:
            return End("stop", stop_id=choice.id)
        self.ids.append(choice.id)
        period = self._guard.push(choice.id) if self._guard is not None else None
        period = self.sampler.period if period is None else period
        if period is not None:
            return End("loop", period=period)
        return self.at_budget if self.num_generated >= self.budget else None

    def check(self) -> None:
        """What is computed is part of the ids, and only running requests have pages."""
        assert self.num_generated <= self.budget
        assert 0 <= self.table.length <= len(self.ids)
        if self.state is RequestState.RUNNING:
            assert self.remaining >= 1, "nothing is left to compute"
        else:
            assert not self.table.num_blocks, f"a request that is {self.state} has pages"
        assert (self.error is not None) == (self.state is RequestState.FAILED)
        # One more was chosen where it stopped the answer, or broke it.
        assert 0 <= self.sampler.num_chosen - self.num_generated <= int(self.is_over)
        self.sampler.check()
        self._keys.check(self.ids)
        if self._guard is not None:
            self._guard.check()
