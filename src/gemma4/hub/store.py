"""The local store, below one folder.

- `models/<folder>/`: whole models, files and manifest.json; one appears here in one rename.
- `partial/<folder>/`: downloads under way, kept to be resumed, never taken for a model.
- `locks/<folder>.lock`: held while a model is pulled or removed.
"""

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, ModelNotFoundError
from .digests import sha256_of
from .disk import free_bytes
from .lock import hold_lock
from .manifest import Manifest, read_manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Everything in the store. `problems`: a sentence for each folder that is no whole model."""

    models: tuple[Manifest, ...]
    problems: tuple[str, ...]


def default_root() -> Path:
    """The store's folder unless the user says otherwise: in the home directory."""
    return Path.home() / ".local" / "share" / "gemma4"


class Store:
    """Models on this machine, below one folder. Making the object touches nothing.

    Args:
        root: the folder; made when something is first put into it.
        lock_wait_seconds: how long to wait for another process that is at the same model.
    """

    def __init__(self, root: Path, *, lock_wait_seconds: float = 2.0) -> None:
        self.root = root
        self._lock_wait_seconds = lock_wait_seconds

    def folder(self, name: str) -> Path:
        """Where a model lies, or would lie."""
        return self.root / "models" / _folder_name(name)

    def partial(self, name: str) -> Path:
        """Where a download of this model is collected."""
        return self.root / "partial" / _folder_name(name)

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes off a model.

        Raises:
            LockedError: another process holds it; names its process id.
        """
        path = self.root / "locks" / f"{_folder_name(name)}.lock"
        return hold_lock(path, what=name, wait_seconds=self._lock_wait_seconds)

    def contents(self) -> Contents:
        """All models, by name, and what is wrong with folders that are none."""
        models: list[Manifest] = []
        problems: list[str] = []
        for folder in sorted((self.root / "models").glob("*/")):
            if folder.name.startswith("."):
                continue  # a model being replaced or removed
            try:
                models.append(read_manifest(folder))
            except CheckpointError as error:
                problems.append(str(error))
        models.sort(key=lambda manifest: manifest.name)
        return Contents(models=tuple(models), problems=tuple(problems))

    def find(self, name: str) -> Manifest | None:
        """The manifest of a model, or None if it was never pulled.

        Raises:
            CheckpointError: its folder is there but damaged.
        """
        folder = self.folder(name)
        return read_manifest(folder) if folder.is_dir() else None

    def check(self, manifest: Manifest, *, deep: bool = False) -> tuple[str, ...]:
        """What is wrong with a model's files: presence and sizes; with `deep`, every checksum."""
        folder = self.folder(manifest.name)
        problems: list[str] = []
        for file in manifest.files:
            path = folder / file.path
            if not path.is_file():
                problems.append(f"{path} is missing")
            elif (size := path.stat().st_size) != file.size:
                problems.append(f"{path} has {size:,} bytes, not {file.size:,}")
            elif deep and (digest := sha256_of(path)) != file.sha256:
                problems.append(f"{path} has SHA-256 {digest}, not {file.sha256}")
        return tuple(problems)

    def install(self, manifest: Manifest) -> Path:
        """Turn the finished download of a model into the model, in place of an older one.

        Call it with the lock held. Nothing is lost at any instant: the old model goes only when the
        new one stands.
        """
        draft, folder = self.partial(manifest.name), self.folder(manifest.name)
        manifest.write(draft)
        folder.parent.mkdir(parents=True, exist_ok=True)
        retired = folder.with_name(f".{folder.name}.old")
        if retired.exists():
            shutil.rmtree(retired)
        if folder.exists():
            folder.rename(retired)
        draft.rename(folder)
        if retired.exists():
            shutil.rmtree(retired)
        return folder

    def remove(self, name: str) -> int:
        """Remove a model and any half-done download of it; return the bytes freed.

        Raises:
            ModelNotFoundError: neither is there.
            LockedError: another process is pulling it.
        """
        folder, draft = self.folder(name), self.partial(name)
        if not folder.exists() and not draft.exists():
            raise ModelNotFoundError(f"{name} is not downloaded; `gemma4 ls` lists what is")
        with self.lock(name):
            freed = folder_bytes(folder) + folder_bytes(draft)
            # Renamed first: a removal that is cut short leaves no model with holes.
            retired = folder.with_name(f".{folder.name}.old")
            if folder.exists():
                folder.rename(retired)
            for leftover in (retired, draft):
                if leftover.exists():
                    shutil.rmtree(leftover)
        return freed

    def free_bytes(self) -> int:
        """Free bytes on the store's disk."""
        return free_bytes(self.root)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _folder_name(name: str) -> str:
    """A file name for a model name, on any system. Repository ids may hold neither `--` nor `@`."""
    folder = name.replace("/", "--").replace(":", "@")
    if not folder or folder[0] == "." or any(c in folder for c in '\\\0*?"<>|'):
        raise ModelNotFoundError(f"{name!r} is no model name; `gemma4 pull -h` explains the forms")
    return folder
