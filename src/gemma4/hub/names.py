"""What a user may call a model, and where it lies.

    e2b, e4b:base, gemma3:270m    short names of the catalog; case and the default tag do not matter
    google/gemma-4-E2B-it         a repository of the hub
    ./folder, model.gguf          what lies on this disk

A path that exists wins over a repository of the same spelling; a short name wins over both (write
`./e2b` for a folder of that name).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ..catalog import find_by_repository, is_known_name, parse_name
from ..errors import CheckpointError, InputError, ModelNotFoundError
from .manifest import Manifest
from .registry import GEMMA3_270M, RegistryModel
from .selection import is_projector
from .store import Store

_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*")
_MODEL_SUFFIXES = (".gguf", ".safetensors")
_FROM_REGISTRY = {"gemma3:270m": GEMMA3_270M}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A model that can be pulled.

    Attributes:
        name: its name in the store.
        source: a repository of the hub, or a model of the package registry.
    """

    name: str
    source: str | RegistryModel


def parse_reference(text: str) -> Reference:
    """Read a short name or a repository id.

    Raises:
        ModelNotFoundError: it is neither; names the short names there are.
        InputError: it is a path.
    """
    if is_known_name(text):
        known = parse_name(text)
        return Reference(name=known.text, source=_FROM_REGISTRY.get(known.text, known.repository))
    if _looks_like_path(text):
        raise InputError(
            f"{text} is a path, not a name that can be pulled; give it to `gemma4 run` as it is"
        )
    if not _REPOSITORY.fullmatch(text):
        parse_name(text)  # raises, with all names and the nearest one
    known_repository = find_by_repository(text)
    if known_repository is None or known_repository.text in _FROM_REGISTRY:
        return Reference(name=text, source=text)
    return Reference(name=known_repository.text, source=known_repository.repository)


def resolve(name_or_path: str, store: Store) -> Path:
    """Where a model lies: a directory, or a .gguf file. Nothing is downloaded.

    Raises:
        ModelNotFoundError: not downloaded (the message has the command that does it), or no such path.
        CheckpointError: files of it are missing or have another size.
    """
    if (path := local_path(name_or_path)) is not None:
        if not path.exists():
            raise ModelNotFoundError(f"{path} does not exist; check the path")
        return path
    name = parse_reference(name_or_path).name
    manifest = store.find(name)
    if manifest is None:
        raise ModelNotFoundError(f"{name} is not downloaded; run `gemma4 pull {name}`")
    if problems := store.check(manifest):
        raise CheckpointError(f"{'; '.join(problems)}; run `gemma4 pull {name}` to mend it")
    return weights_path(manifest, store)


def find_stored(name_or_path: str, store: Store) -> Manifest | None:
    """The manifest of a model of the store, None for a path or what is not downloaded.

    Raises:
        ModelNotFoundError: no such name.
    """
    if local_path(name_or_path) is not None:
        return None
    return store.find(parse_reference(name_or_path).name)


def weights_path(manifest: Manifest, store: Store) -> Path:
    """What to open of a stored model: its .gguf, else its directory."""
    folder = store.folder(manifest.name)
    for file in manifest.files:
        if file.path.lower().endswith(".gguf") and not is_projector(file.path):
            return folder / file.path
    return folder


def local_path(text: str) -> Path | None:
    """The path that a user means, or None if the text is a name."""
    if is_known_name(text):
        return None
    path = Path(text).expanduser()
    return path if _looks_like_path(text) or path.exists() else None


def _looks_like_path(text: str) -> bool:
    return text.startswith((".", "/", "~")) or "\\" in text or text.endswith(_MODEL_SUFFIXES)
