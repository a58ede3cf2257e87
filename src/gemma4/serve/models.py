"""The models of a server: which there are, which are loaded, and who uses them now."""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..errors import ModelNotFoundError
from ..llm.llm import LLM
from ..llm.worker import Worker


@dataclass(slots=True)
class Served:
    """A loaded model.

    Attributes:
        id: the name by which clients ask for it.
        created: when it was loaded, in seconds since 1970.
        users: requests that hold it now.
    """

    id: str
    worker: Worker
    created: int = field(default_factory=lambda: int(time.time()))
    users: int = 0

    @property
    def llm(self) -> LLM:
        """What the worker runs; only what never changes may be looked at from another thread."""
        return self.worker.llm


class Models:
    """Loaded models by name; the first stands in where a client names none.

    Args:
        loaded: in the order in which they are listed.
    """

    def __init__(self, loaded: Iterable[Served]) -> None:
        self._served = {served.id: served for served in loaded}

    @property
    def all(self) -> tuple[Served, ...]:
        """All, in order."""
        return tuple(self._served.values())

    @asynccontextmanager
    async def use(self, name: str | None) -> AsyncIterator[Served]:
        """A model that stays loaded meanwhile.

        Raises:
            ModelNotFoundError: there is none of this name.
        """
        served = self.find(name)
        served.users += 1
        try:
            yield served
        finally:
            served.users -= 1

    def find(self, name: str | None) -> Served:
        """A model by name, `:latest` at its end left aside.

        Raises:
            ModelNotFoundError: there is none of this name.
        """
        wanted = (name or "").removesuffix(":latest")
        if not wanted and self._served:
            return next(iter(self._served.values()))
        if wanted not in self._served:
            known = ", ".join(self._served) or "none"
            raise ModelNotFoundError(
                f"there is no model {name!r} here; this server has {known}; ask for one of them"
            )
        return self._served[wanted]

    def close(self) -> None:
        """Stop all workers."""
        for served in self._served.values():
            served.worker.close()
