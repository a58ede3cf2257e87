"""The models that a server may load: those of the local store, and paths that it was given."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import Gemma4Error, ModelNotFoundError
from ..hub.manifest import Manifest
from ..hub.names import local_path, parse_reference, resolve
from ..hub.store import Store

LATEST = ":latest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A model that can be loaded.

    Attributes:
        id: the name by which clients ask for it. source: what to load, a name of the store or a path.
        created: when it came here, in seconds since 1970. size_bytes: of its files.
        manifest: of the store; None for a path.
    """

    id: str
    source: str
    created: int
    size_bytes: int
    manifest: Manifest | None = None


class Shelf:
    """Looks into the store each time, so that what is pulled meanwhile is there.

    Args:
        named: names or paths that the server was started with; they are listed first.

    Raises:
        ModelNotFoundError, CheckpointError: one of these is not there.
    """

    def __init__(self, store: Store, named: Iterable[str] = ()) -> None:
        self.store = store
        found = [self._named(name) for name in named]
        self._named_ones = {known.id: known for known in found}

    @property
    def named(self) -> tuple[Known, ...]:
        """Those that the server was started with."""
        return tuple(self._named_ones.values())

    def all(self) -> tuple[Known, ...]:
        """All; whole models only."""
        stored = {manifest.name: known_of(manifest) for manifest in self.store.contents().models}
        return tuple({**self._named_ones, **stored, **self._named_ones}.values())

    def find(self, name: str) -> Known | None:
        """A model by name, however a client spells it; None: there is none.

        A client cannot name a path: only what the server was started with is read from outside the store.
        """
        if name in self._named_ones:
            return self._named_ones[name]
        try:
            canonical = parse_reference(name).name
            manifest = self.store.find(canonical)
        except Gemma4Error:
            return None
        if canonical in self._named_ones:
            return self._named_ones[canonical]
        return None if manifest is None else known_of(manifest)

    def _named(self, text: str) -> Known:
        path = resolve(text, self.store)
        if local_path(text) is None:
            manifest = self.store.find(parse_reference(text).name)
            if manifest is None:
                raise ModelNotFoundError(f"{text} is not downloaded; run `gemma4 pull {text}`")
            return known_of(manifest)
        files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
        return Known(
            id=path.stem if path.is_file() else path.resolve().name,
            source=str(path),
            created=int(path.stat().st_mtime),
            size_bytes=sum(file.stat().st_size for file in files),
        )


def known_of(manifest: Manifest) -> Known:
    """A model of the store."""
    return Known(
        id=manifest.name,
        source=manifest.name,
        created=int(datetime.fromisoformat(manifest.pulled).timestamp()),
        size_bytes=manifest.size,
        manifest=manifest,
    )


def empty_shelf() -> Shelf:
    """One with nothing on it: for a server of models that are loaded already."""
    return Shelf(Store(Path("nowhere")))
