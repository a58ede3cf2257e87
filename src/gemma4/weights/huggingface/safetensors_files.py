"""The tensors of a `.safetensors` file, or of a Hugging Face directory with one or more of them.

The safetensors library checks each header. The tensors are then views of our own map, because the
library's own map for torch is refused where a file is larger than the machine's memory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ...errors import CheckpointError
from ...quant import FORMATS
from ..mapped_file import map_file
from ..mapped_tensor import MappedTensor
from .shard_index import list_shards

# Formats that a safetensors header names as we do.
_READABLE = ("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64", "U8", "BOOL")
_LENGTH_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SafetensorsSource:
    """Tensors under the names they have in the files.

    Attributes:
        path: of the file or directory.
        tensors: name → tensor, sorted by name.
    """

    path: Path
    tensors: Mapping[str, MappedTensor]


def open_safetensors(path: Path) -> SafetensorsSource:
    """Open a `.safetensors` file or a directory; no tensor is read yet.

    In a directory `model.safetensors` is taken, or every shard that `model.safetensors.index.json`
    names.

    Raises:
        ModelNotFoundError: there is no such file or directory.
        CheckpointError: the directory has no weights or lacks some, index and shards disagree, or a
            file is damaged.
        EnvironmentFault: the directory or a file may not be read.
    """
    shards = list_shards(path) if path.is_dir() else {path: None}
    tensors: dict[str, MappedTensor] = {}
    for shard, expected in shards.items():
        found = _open_file(shard)
        if expected is not None:
            _compare(path, shard, found=set(found), expected=expected)
        tensors.update(found)
    return SafetensorsSource(path=path, tensors=dict(sorted(tensors.items())))


def _compare(directory: Path, shard: Path, *, found: set[str], expected: frozenset[str]) -> None:
    """Refuse a shard that does not hold exactly what the index says.

    The index names one shard for each tensor, so a tensor that lies in two is refused here as well.
    """
    if found == expected:
        return
    absent, extra = sorted(expected - found), sorted(found - expected)
    problems = []
    if absent:
        problems.append(f"it lacks {len(absent)} ({_some(absent)})")
    if extra:
        problems.append(f"it holds {len(extra)} that the index places elsewhere ({_some(extra)})")
    raise CheckpointError(
        f"{directory}: the index and {shard.name} disagree: {' and '.join(problems)}; "
        "download the checkpoint again, all files of one revision"
    )


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")


def _open_file(path: Path) -> dict[str, MappedTensor]:
    """Check and map one file."""
    data = map_file(path)
    try:
        with safe_open(path, framework="numpy"):
            pass  # the library has now checked the header against the file's size
        header_bytes = int.from_bytes(data[:_LENGTH_BYTES].tobytes(), "little")
        start = _LENGTH_BYTES + header_bytes
        text = data[_LENGTH_BYTES:start].tobytes()
        header = json.loads(text, object_pairs_hook=_once_each)
    except (SafetensorError, ValueError) as error:
        problem = " ".join(str(error).removeprefix("Error while deserializing header: ").split())
        raise CheckpointError(
            f"{path} is not a usable safetensors file of {len(data)} bytes: {problem}; "
            "download it again"
        ) from error
    header.pop("__metadata__", None)
    return {name: _tensor(path, name, entry, data[start:]) for name, entry in header.items()}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object, refusing a key that appears twice.

    Raises:
        ValueError: with the key.
    """
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the name {key!r} appears twice in the header")
        entries[key] = value
    return entries


def _tensor(path: Path, name: str, entry: Mapping[str, Any], data: Any) -> MappedTensor:
    if entry["dtype"] not in _READABLE:
        raise CheckpointError(
            f"{path}: tensor {name!r} has type {entry['dtype']}, read are {', '.join(_READABLE)}; "
            "take the bf16, W4A16 or GGUF version of the model"
        )
    start, stop = entry["data_offsets"]
    return MappedTensor(
        name=name,
        shape=tuple(entry["shape"]),
        format=FORMATS[entry["dtype"]],
        data=data[start:stop],
    )
