"""Digests of files: SHA-256, and git's own for the small files of a repository."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """An expected digest. `git-sha1` is git's blob id: SHA-1 over a header and the content."""

    kind: Literal["sha256", "git-sha1"]
    value: str

    def measure(self, path: Path) -> str:
        """The digest of this kind of a file."""
        if self.kind == "sha256":
            return sha256_of(path)
        hasher = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        return _feed(hasher, path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return _feed(hashlib.sha256(), path)


def _feed(hasher: "hashlib._Hash", path: Path) -> str:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
