"""Puts a model into a store as `pull` leaves it."""

from pathlib import Path

from gemma4.hub.digests import sha256_of
from gemma4.hub.manifest import Manifest, Source, StoredFile
from gemma4.hub.selection import is_licence_file, label_of_model
from gemma4.hub.store import Store


def store_model(home: Path, name: str, files: dict[str, bytes]) -> Manifest:
    """Install a model with these files."""
    store = Store(home)
    draft = store.partial(name)
    for path, content in files.items():
        (draft / path).parent.mkdir(parents=True, exist_ok=True)
        (draft / path).write_bytes(content)
    paths = sorted(files)
    manifest = Manifest(
        name=name,
        source=Source(kind="huggingface", location="google/some-model", revision="f" * 40),
        licence="apache-2.0",
        licence_files=tuple(path for path in paths if is_licence_file(path)),
        quantization=label_of_model(draft, paths),
        pulled="2026-01-02T03:04:05+00:00",
        files=tuple(
            StoredFile(path=path, size=len(files[path]), sha256=sha256_of(draft / path))
            for path in paths
        ),
    )
    store.install(manifest)
    return manifest
