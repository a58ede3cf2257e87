"""What an engine tells of its work."""

from dataclasses import dataclass

from .end import End
from .request import Request
from .sampler import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What one step did for one request.

    Attributes:
        prefilled: tokens of the prompt that are computed, while it is read; else None.
        choices: tokens of the answer, in order.
        end: why the answer ended; the last update of a request has it, or an error.
        error: why the request failed.
    """

    request: Request
    prefilled: int | None = None
    choices: tuple[Choice, ...] = ()
    end: End | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Where an engine stands.

    Attributes:
        pages_held, pages_cached, pages: of each group of layers.
        evictions: cached pages that made room. preemptions: requests that did.
        faults: passes or drafts that raised an error, which no request may have failed of.
        last_fault: the latest of these, in words.
    """

    steps: int
    running: int
    waiting: int
    preemptions: int
    evictions: int
    pages_held: tuple[int, ...]
    pages_cached: tuple[int, ...]
    pages: tuple[int, ...]
    faults: int
    last_fault: str | None
