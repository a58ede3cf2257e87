"""The models of a server: which there are, which are loaded, and who uses them now.

ask → loaded? ─ yes → held → let go of → idle → unloaded after keep-alive, or for another's sake
        └ no → one load for all who ask, after room was made for it
"""

import asyncio
import fnmatch
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from ..errors import EnvironmentFault, ModelNotFoundError
from ..llm.llm import LLM
from ..llm.worker import Worker
from .errors import RequestError
from .loading import Loader, collect
from .settings import Limits, Loading
from .shelf import LATEST, Known, Shelf, empty_shelf
from .slot import Served, Slot, Standing
from .threads import in_thread

__all__ = ["Models", "Served"]

_SOON = 5  # seconds after which a client may ask again for a model that is being loaded


class Models:
    """Models by name; the first stands in where a client names none.

    All but `close` belongs to the event loop's thread.

    Args:
        loaded: models that are there already and stay.
        shelf: what can be loaded; nothing more without.
        loader: loads it.
        on_loaded: told of each model that was loaded.
        on_failed: told why a model that the server was started with could not be loaded.
    """

    def __init__(
        self,
        loaded: Iterable[Served] = (),
        *,
        shelf: Shelf | None = None,
        loader: Loader | None = None,
        loading: Loading | None = None,
        limits: Limits | None = None,
        on_loaded: Callable[[Served], None] | None = None,
        on_failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.loading = loading or Loading()
        self.shelf = shelf or empty_shelf()
        self._limits = limits or Limits()
        self._loader = loader
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._starting = 0
        self._leaving = 0  # models that are out of the list and not yet out of memory
        self._slots = {one.id: Slot(id=one.id, served=one) for one in loaded}
        self._failures: dict[str, str] = {}
        self._one_load = asyncio.Lock()
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def all(self) -> tuple[Served, ...]:
        """Those that are loaded."""
        return tuple(slot.served for slot in self._slots.values() if slot.served is not None)

    @property
    def known(self) -> tuple[Known, ...]:
        """Those that can be asked for: loaded ones that no file stands for first, then all others."""
        files = {known.id: known for known in self.shelf.all()}
        bare = [
            Known(id=one.id, source=one.id, created=one.created, size_bytes=one.size_bytes)
            for one in self.all
            if one.id not in files
        ]
        return (*bare, *files.values())

    @property
    def standings(self) -> tuple[Standing, ...]:
        """How those stand that are loaded, on their way, or failed when they were last asked for."""
        found = [
            Standing(
                id=slot.id,
                state="loading" if slot.served is None else "loaded",
                size_bytes=0 if slot.served is None else slot.served.size_bytes,
                expires_in=slot.expires_in,
                served=slot.served,
            )
            for slot in self._slots.values()
        ]
        failed = self._failures.items()
        return (*found, *(Standing(id=id, state="error", error=text) for id, text in failed))

    @asynccontextmanager
    async def use(
        self, name: str | None, *, keep_alive: float | None = -1.0
    ) -> AsyncIterator[Served]:
        """A model that stays loaded meanwhile; it is loaded first if need be.

        Args:
            keep_alive: seconds that it stays afterwards; None: for ever; negative: as it is.

        Raises:
            ModelNotFoundError: there is none of this name.
            RequestError: loading takes longer than anybody should wait.
            Gemma4Error: it cannot be loaded.
        """
        slot = self._slot(self.resolve(name))
        slot.hold()
        try:
            served = await self._ready(slot)
            if keep_alive is None or keep_alive >= 0:
                slot.keep_alive = keep_alive
            yield served
        finally:
            self._let_go(slot)

    def find(self, name: str | None) -> Served:
        """A model that is loaded, by any of its names.

        Raises:
            ModelNotFoundError: there is none of this name, or it is not loaded.
        """
        id = self.resolve(name)
        slot = self._slots.get(id)
        if slot is None or slot.served is None:
            raise ModelNotFoundError(f"{id} is not loaded; ask it something first")
        return slot.served

    def resolve(self, name: str | None) -> str:
        """The id of a model, whatever a client calls it; nothing is loaded.

        Raises:
            ModelNotFoundError: there is none of this name.
        """
        wanted = (name or "").strip().removesuffix(LATEST) or self._default()
        wanted = self._unaliased(wanted)
        if wanted in self._slots:
            return wanted
        found = self.shelf.find(wanted)
        if found is None:
            there = ", ".join(known.id for known in self.known) or "none"
            raise ModelNotFoundError(
                f"there is no model {name!r} here; this server has {there}; ask for one of them, or "
                "give the name a meaning with --alias NAME=MODEL"
            )
        return found.id

    async def load(self, name: str, *, keep_alive: float | None = -1.0) -> Served:
        """Load a model and let go of it; see `use`."""
        async with self.use(name, keep_alive=keep_alive) as served:
            return served

    def unload(self, name: str) -> bool:
        """Let a model go as soon as nobody uses it; False if it is not loaded.

        Raises:
            ModelNotFoundError: there is none of this name.
        """
        slot = self._slots.get(self.resolve(name))
        if slot is None:
            return False
        slot.keep_alive = 0.0
        self._expect_end(slot)
        return True

    def begin(self) -> None:
        """Load what the server was started with; to be called on the event loop."""
        for known in self.shelf.named[: self.loading.max_models]:
            slot = self._slot(known.id)
            slot.hold()
            self._starting += 1
            self._spawn(self._first_load(slot))

    @property
    def is_starting(self) -> bool:
        """Whether models that the server was started with are still being loaded."""
        return self._starting > 0

    async def _first_load(self, slot: Slot) -> None:
        """However long it takes."""
        assert slot.ready is not None
        try:
            await asyncio.wait((slot.ready,))
        finally:
            self._starting -= 1
            self._let_go(slot)
        if (error := slot.ready.exception()) is not None and self._on_failed is not None:
            self._on_failed(error)

    def __iter__(self) -> Iterator[Served]:
        """Those that are loaded at this moment."""
        return iter(self.all)

    def close(self) -> None:
        """Stop all workers; the event loop is over."""
        for served in self.all:
            served.worker.close()

    def check(self) -> None:
        """All is sound."""
        for slot in self._slots.values():
            slot.check()

    def _default(self) -> str:
        first = next(iter(self.shelf.named or self.known), None)
        if first is None:
            raise ModelNotFoundError("no model was asked for and there is none; `gemma4 pull` one")
        return first.id

    def _unaliased(self, wanted: str) -> str:
        for pattern, meant in self.loading.aliases.items():
            if fnmatch.fnmatchcase(wanted.lower(), pattern.lower()):
                return meant
        return wanted

    def _slot(self, id: str) -> Slot:
        """The slot of a model; begins to load it where there is none."""
        slot = self._slots.get(id)
        broken = slot is not None and slot.served is not None and slot.served.worker.fault
        if slot is not None and not (broken and self._loader):
            return slot
        if slot is not None:  # its thread has stopped: nothing that it computed can be believed
            del self._slots[id]
            self._spawn_unload(slot)
        known = self.shelf.find(id)
        if known is None or self._loader is None:
            raise ModelNotFoundError(f"{id} is gone; `gemma4 ls` says what is there")
        slot = self._slots[id] = Slot(id=id, keep_alive=self._keep_alive_of(id))
        slot.ready = asyncio.get_running_loop().create_future()
        self._spawn(self._load(slot, known, self._loader))
        return slot

    def _keep_alive_of(self, id: str) -> float | None:
        """Who starts a server with a model wants it to stay."""
        named = any(known.id == id for known in self.shelf.named)
        return None if named else self.loading.keep_alive

    async def _ready(self, slot: Slot) -> Served:
        if slot.served is not None:
            return slot.served
        assert slot.ready is not None
        seconds = self._limits.load_seconds
        try:
            return await asyncio.wait_for(asyncio.shield(slot.ready), seconds)
        except TimeoutError:
            raise RequestError(
                f"{slot.id} is still being loaded after {seconds:g} s; ask again",
                status=503,
                code="model_loading",
                retry_after=_SOON,
            ) from None

    async def _load(self, slot: Slot, known: Known, loader: Loader) -> None:
        """Load one model after the other: two at once could not know what memory is left."""
        assert slot.ready is not None
        slot.ready.add_done_callback(_looked_at)
        try:
            async with self._one_load:
                await self._make_room(slot, known, loader)
                llm: LLM = await in_thread(lambda: loader.load(known))
        except Exception as error:
            self._slots.pop(slot.id, None)
            self._failures[slot.id] = str(error)
            slot.ready.set_exception(error)
            return
        self._failures.pop(slot.id, None)
        size = known.size_bytes
        slot.served = Served(slot.id, Worker(llm), created=known.created, size_bytes=size)
        slot.ready.set_result(slot.served)
        if self._on_loaded is not None:
            self._on_loaded(slot.served)
        self._expect_end(slot)

    async def _make_room(self, slot: Slot, known: Known, loader: Loader) -> None:
        """Let idle models go, the one longest unused first, until this one may come.

        Raises:
            EnvironmentFault: the memory does not hold it, or nobody waits for it any more.
        """
        while True:
            others = [one for one in self._slots.values() if one.served is not None]
            idle = min((one for one in others if one.is_idle), key=_last_used, default=None)
            crowded = len(others) >= self.loading.max_models
            lacking = None if crowded else await in_thread(lambda: loader.lacking(known))
            if not crowded and lacking is None:
                return
            if idle is not None and idle.is_idle:
                await self._unload(idle)
            elif lacking is not None and not self._leaving:
                raise EnvironmentFault(lacking)
            elif not slot.users:
                raise EnvironmentFault(f"{slot.id} was not loaded: nobody waits for it any more")
            else:
                self._released.clear()
                await self._released.wait()

    def _let_go(self, slot: Slot) -> None:
        slot.users -= 1
        slot.used = time.monotonic()
        self._released.set()
        self._expect_end(slot)

    def _expect_end(self, slot: Slot) -> None:
        """Unload an idle model when its time has come."""
        slot.stop_timer()
        if slot.is_idle and slot.keep_alive is not None and self._slots.get(slot.id) is slot:
            loop = asyncio.get_running_loop()
            slot.timer = loop.call_later(slot.keep_alive, self._spawn_unload, slot)

    def _spawn_unload(self, slot: Slot) -> None:
        self._spawn(self._unload(slot))

    async def _unload(self, slot: Slot) -> None:
        """Out of the list at once, so that nobody takes it; then out of memory."""
        listed = self._slots.get(slot.id) is slot
        if slot.served is None or (slot.users and listed):  # somebody came just before
            return
        slot.stop_timer()
        if listed:
            del self._slots[slot.id]
        worker, slot.served = slot.served.worker, None
        self._leaving += 1
        try:
            await in_thread(worker.close)
            del worker  # the last to know of the weights
            await in_thread(collect)
        finally:
            self._leaving -= 1
            self._released.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _last_used(slot: Slot) -> float:
    return slot.used


def _looked_at(future: "asyncio.Future[Served]") -> None:
    """An error that all who waited have left behind is no news."""
    if not future.cancelled():
        future.exception()
