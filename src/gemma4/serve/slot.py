"""One model of a server: loading or loaded, by whom it is used, and until when it stays."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from ..llm.llm import LLM
from ..llm.worker import Worker

State = Literal["loading", "loaded", "unloading", "error"]


@dataclass(slots=True)
class Served:
    """A loaded model.

    Attributes:
        id: the name by which clients ask for it.
        created: when it came here, in seconds since 1970. size_bytes: of its files, 0 if nobody knows.
        streams: answers that are waited for now.
    """

    id: str
    worker: Worker
    created: int = field(default_factory=lambda: int(time.time()))
    size_bytes: int = 0
    streams: int = 0

    @property
    def llm(self) -> LLM:
        """What the worker runs; only what never changes may be looked at from another thread."""
        return self.worker.llm

    @property
    def waiting(self) -> int:
        """Answers that find no place beside those that run."""
        return max(0, self.streams - self.llm.info.max_requests)


@dataclass(slots=True)
class Slot:
    """A model on its way into memory, there, or on its way out.

    Attributes:
        ready: its loading, which all who wait share; done once it is loaded or has failed.
        users: requests that hold it or wait for it.
        keep_alive: seconds that it stays without users; None: for ever.
        used: when it was last let go of, on the clock of `time.monotonic`.
        timer: of its end.
    """

    id: str
    ready: "asyncio.Future[Served] | None" = None
    served: Served | None = None
    users: int = 0
    keep_alive: float | None = None
    used: float = field(default_factory=time.monotonic)
    timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Loaded, and nobody holds it."""
        return self.served is not None and not self.users

    def hold(self) -> None:
        """Somebody uses it: it stays."""
        self.users += 1
        self.stop_timer()

    def stop_timer(self) -> None:
        """Let it not end by itself."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    @property
    def expires_in(self) -> float | None:
        """Seconds until it goes if nobody asks; None: it stays, or is used."""
        if self.users or self.keep_alive is None:
            return None
        return max(0.0, self.used + self.keep_alive - time.monotonic())

    def check(self) -> None:
        """Counts are sound, and nothing ends what is used."""
        assert self.users >= 0
        assert not (self.users and self.timer), f"{self.id} would end under its users"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a model stands, for those who ask.

    Attributes:
        expires_in: seconds; None: it stays. error: why it could not be loaded.
        served: the loaded model itself.
    """

    id: str
    state: State
    size_bytes: int = 0
    expires_in: float | None = None
    error: str | None = None
    served: Served | None = None
