"""Which safetensors files of a directory make up the checkpoint."""

import json
import os
from pathlib import Path

from ...errors import CheckpointError, EnvironmentFault

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 1 << 26


def list_shards(directory: Path) -> dict[Path, frozenset[str] | None]:
    """Find the files of a checkpoint: path → the tensors it must hold; None: whatever it holds.

    Raises:
        CheckpointError: no weights, weights of another kind, an index that makes no sense, or
            shards that are not there.
        EnvironmentFault: the directory or its index may not be read.
    """
    try:
        return _list_shards(directory)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read {directory}: {error.strerror}; check its permissions"
        ) from error


def _list_shards(directory: Path) -> dict[Path, frozenset[str] | None]:
    single, index = directory / SINGLE, directory / INDEX
    if not index.exists():
        if single.exists():
            return {single: None}
        raise CheckpointError(_explain_absence(directory))
    shards = _group_by_shard(index)
    if single.exists() and single not in shards:
        raise CheckpointError(
            f"{directory} has both {SINGLE} and {INDEX}, which does not name it; "
            "remove the one that is out of date"
        )
    # os.path.isfile, as a name from outside may be one that no file can have.
    missing = sorted(repr(shard.name) for shard in shards if not os.path.isfile(shard))
    if missing:
        raise CheckpointError(
            f"{directory} lacks {len(missing)} of {len(shards)} weight files: "
            f"{', '.join(missing)}; finish the download"
        )
    return {shard: frozenset(names) for shard, names in shards.items()}


def _group_by_shard(index: Path) -> dict[Path, set[str]]:
    """Read the index: shard → names of its tensors."""
    weight_map = _read_weight_map(index)
    shards: dict[Path, set[str]] = {}
    for name, file_name in weight_map.items():
        # A plain name only: an index must not lead out of its directory.
        if not isinstance(file_name, str) or Path(file_name).name != file_name:
            raise CheckpointError(
                f"{index} places {name!r} in {file_name!r}, which is not a plain file name; "
                "download the index again"
            )
        if not file_name.endswith(".safetensors"):
            raise CheckpointError(
                f"{index} places {name!r} in {file_name!r}, which is not a .safetensors file; "
                "download the index again"
            )
        shards.setdefault(index.parent / file_name, set()).add(name)
    return shards


def _read_weight_map(index: Path) -> dict[str, object]:
    size = index.stat().st_size
    if size > MAX_INDEX_BYTES:
        raise CheckpointError(
            f"{index} has {size} bytes, the limit is {MAX_INDEX_BYTES}; download the index again"
        )
    try:
        content = json.loads(index.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{index} is not JSON: {error}; download the index again") from error
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(
            f"{index} has no weight_map with tensors in it; download the index again"
        )
    return weight_map


def _explain_absence(directory: Path) -> str:
    """Say what a directory without weights has instead, and what to do about it."""
    names = sorted(path.name for path in directory.iterdir())

    def ending(suffix: str) -> list[str]:
        return [name for name in names if name.endswith(suffix)]

    if found := ending(".safetensors"):
        if len(found) == 1:
            return (
                f"{directory} has no {SINGLE}, but {found[0]}; "
                f"give that file itself if it is the model: {directory / found[0]}"
            )
        return (
            f"{directory} has {len(found)} .safetensors files ({found[0]}, …) but no {INDEX}; "
            "download the index as well"
        )
    if found := ending(".gguf"):
        return (
            f"{directory} has no {SINGLE}, but {found[0]}; give that file: {directory / found[0]}"
        )
    if found := [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]:
        return (
            f"{directory} has pickled weights only ({found[0]}), which can run code when opened; "
            "save them again with transformers' save_pretrained, which writes safetensors"
        )
    return (
        f"{directory} has no weights: no {SINGLE} and no {INDEX} among its {len(names)} files; "
        "download the checkpoint"
    )
