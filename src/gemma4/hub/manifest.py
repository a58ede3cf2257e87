"""What the local store knows of one whole model: a small JSON file beside its weights."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from ..errors import CheckpointError

MANIFEST_FILE = "manifest.json"
_FORMAT = 1
_MAX_BYTES = 8 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")

SourceKind = Literal["huggingface", "registry"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a model came from.

    Attributes:
        location: repository id, or package name.
        revision: full commit of the repository, or version of the package.
    """

    kind: SourceKind
    location: str
    revision: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One file of a model. `path` is relative, with forward slashes; `size` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A whole, verified model in the store.

    Attributes:
        name: as given to `pull`, in its full form (`e2b:it`, `google/gemma-4-E2B-it`).
        licence: SPDX-like identifier, or `unknown`.
        licence_files: those of `files` that hold its text.
        quantization: as people write it, such as `BF16` or `Q4_K_M`.
        pulled: UTC time in ISO 8601.
    """

    name: str
    source: Source
    files: tuple[StoredFile, ...]
    licence: str
    licence_files: tuple[str, ...] = ()
    quantization: str
    pulled: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal that changes with any byte of any file."""
        lines = sorted(f"{file.sha256} {file.path}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def id(self) -> str:
        """The first twelve digits of `digest`, for people."""
        return self.digest[:12]

    def write(self, folder: Path) -> None:
        """Write into a model's folder, replacing in one step."""
        draft = folder / f"{MANIFEST_FILE}.new"
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(folder / MANIFEST_FILE)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a model's folder.

    Raises:
        CheckpointError: it is missing, damaged, or of another version of this program.
    """
    path = folder / MANIFEST_FILE
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path} is missing or damaged ({type(error).__name__}: {error}); "
            f"remove the folder {folder} and pull the model again"
        ) from error


def _parse(document: Any) -> Manifest:
    if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
        raise ValueError(f"not a manifest of format {_FORMAT}")
    source = Source(**document.pop("source"))
    if source.kind not in get_args(SourceKind):
        raise ValueError(f"unknown source {source.kind!r}")
    files = tuple(_parse_file(file) for file in document.pop("files"))
    licence_files = tuple(check_relative_path(path) for path in document.pop("licence_files"))
    manifest = Manifest(source=source, files=files, licence_files=licence_files, **document)
    words = (manifest.name, manifest.licence, manifest.quantization)
    if not all(isinstance(word, str) for word in (*words, source.location, source.revision)):
        raise TypeError("a field is no text")
    datetime.fromisoformat(manifest.pulled)
    return manifest


def _parse_file(document: Any) -> StoredFile:
    file = StoredFile(**document)
    check_relative_path(file.path)
    if type(file.size) is not int or file.size < 0 or not _SHA256.fullmatch(file.sha256):
        raise ValueError(f"{file.path!r} has no proper size or digest")
    return file


def check_relative_path(path: str) -> str:
    """Return `path` if it stays inside the folder it is put into.

    Raises:
        ValueError: it is absolute, climbs out, or would be written differently on another system.
    """
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or ".." in parts or parts[0] == "/":
        raise ValueError(f"file name {path!r} leaves its folder")
    if "\\" in path or ":" in path or "\0" in path or MANIFEST_FILE in parts:
        raise ValueError(f"file name {path!r} is not allowed")
    return path
