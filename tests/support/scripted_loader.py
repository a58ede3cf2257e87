"""A loader whose models are scripted: real `LLM`s, loaded when a test says so, or never."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from live_server import LiveServer, live_server
from scripted_model import scripted_llm

from gemma4.errors import Gemma4Error
from gemma4.hub.store import Store
from gemma4.llm.llm import LLM
from gemma4.serve.models import Models
from gemma4.serve.settings import Limits, Loading, ServeSettings
from gemma4.serve.shelf import Known, Shelf


class NamedShelf(Shelf):
    """A shelf with these names on it, and no files."""

    def __init__(self, *ids: str, started_with: tuple[str, ...] = ()) -> None:
        super().__init__(Store(Path("nowhere")))
        self._known = {id: Known(id=id, source=id, created=7, size_bytes=1000) for id in ids}
        self._named_ones = {id: self._known[id] for id in started_with}

    def all(self) -> tuple[Known, ...]:
        """All, in order."""
        return tuple(self._known.values())

    def find(self, name: str) -> Known | None:
        """By its id alone."""
        return self._known.get(name)


@dataclass
class ScriptedLoader:
    """Loads `Hello from ID.`

    Attributes:
        gate: set while loads may go on. loads: ids in the order in which they were loaded.
        errors: raised in place of loading, by id. room: how many the memory holds at once.
    """

    gate: threading.Event = field(default_factory=threading.Event)
    loads: list[str] = field(default_factory=list)
    errors: dict[str, Gemma4Error] = field(default_factory=dict)
    lacks: Callable[[str], str | None] = lambda _: None
    script: Callable[[str], str] | None = None
    step_seconds: float = 0.0

    def lacking(self, known: Known) -> str | None:
        """What a test says."""
        return self.lacks(known.id)

    def load(self, known: Known) -> LLM:
        """When the gate is open."""
        self.loads.append(known.id)
        assert self.gate.wait(20), "the gate was never opened"
        if known.id in self.errors:
            raise self.errors[known.id]
        script = self.script or (lambda _: f"Hello from {known.id}.")
        llm = scripted_llm(script, max_requests=2, step_seconds=self.step_seconds)
        return replace(llm, info=replace(llm.info, name=known.id))


@contextmanager
def server_of(
    shelf: Shelf,
    loader: ScriptedLoader,
    *,
    loading: Loading | None = None,
    limits: Limits | None = None,
) -> Iterator[LiveServer]:
    """A live server that loads from this shelf."""
    loading, limits = loading or Loading(), limits or Limits()
    models = Models(shelf=shelf, loader=loader, loading=loading, limits=limits)
    settings = ServeSettings(loading=loading, limits=limits)
    with live_server(settings=settings, models=models) as live:
        try:
            yield live
        finally:
            loader.gate.set()
