"""A checkpoint as a Hugging Face directory: plain numbers, or W4A16 as compressed-tensors packs it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...config import DrafterConfig, ModelConfig
from ...quant import FORMATS, Bytes
from ...quant.encode import encode
from ...tensors.entry import TensorEntry, TensorKind
from ...tensors.table import tensor_table
from ..derived import ConvertedTensor
from ..huggingface.names import checkpoint_name
from ..huggingface.shard_index import INDEX, SINGLE
from ..huggingface.writer import SafeTensor, write_safetensors
from ..output_files import flush
from ..source import StoredTensor, TensorSource
from .packed_parts import packed_parts
from .recipes import W4A16, Recipe, packs_w4a16
from .row_slices import RowReader

SHARD_BYTES = 5 * 1000**3
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
OnBytes = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryTensor:
    """A tensor of the model, and in which format the directory holds it.

    Attributes:
        name: in the files, where it is one tensor there.
        format: F32, F16, BF16, I64 or W4A16.
        wanted: the format that the recipe gives it.
    """

    entry: TensorEntry
    name: str
    format: str
    wanted: str

    @property
    def nbytes(self) -> int:
        """Bytes in the files, W4A16 with its scales."""
        if self.format == W4A16:
            return self.entry.num_elements // 32 * 18
        return self.entry.num_elements * FORMATS[self.format].bytes_per_block


def plan_directory(
    config: ModelConfig | DrafterConfig, recipe: Recipe, model_type: str
) -> tuple[DirectoryTensor, ...]:
    """Choose the format of every tensor; `model_type` of config.json says which names it has."""
    return tuple(_plan(entry, recipe, model_type) for entry in tensor_table(config))


def plain_format(recipe: Recipe) -> str:
    """Format of what the recipe does not pack."""
    return "BF16" if recipe.matrix == W4A16 else recipe.matrix


def directory_notes(planned: Sequence[DirectoryTensor]) -> tuple[str, ...]:
    """A sentence on matrices that could not be packed."""
    left = [tensor for tensor in planned if tensor.format != tensor.wanted]
    if not left:
        return ()
    return (
        f"{len(left)} tensors ({left[0].name}, …) are {left[0].format} instead of {W4A16}: their "
        "rows are no whole number of groups of 32",
    )


def directory_tensors(
    planned: Sequence[DirectoryTensor],
    source: TensorSource,
    *,
    threads: int,
    on_bytes: OnBytes,
) -> list[SafeTensor]:
    """Tensors ready to be written; nothing is read yet."""
    found: list[SafeTensor] = []
    for tensor in planned:
        stored = source.tensors[tensor.entry.name]
        if tensor.format == W4A16:
            found += packed_parts(tensor.entry, tensor.name, stored, on_bytes)
        else:
            found.append(_plain(tensor, stored, threads, on_bytes))
    return found


def write_directory(
    directory: Path,
    tensors: Sequence[SafeTensor],
    config_json: Mapping[str, object],
    beside: Mapping[str, Path | bytes],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write weights, config.json and what lies beside them into an empty directory.

    Raises:
        CheckpointError: a weight is no number.
        OSError: the disk is full or fails.
    """
    for name, content in beside.items():
        if isinstance(content, bytes):
            (directory / name).write_bytes(content)
        else:
            shutil.copyfile(content, directory / name)
    shards = _plan_shards(tensors, shard_bytes)
    for name, members in shards.items():
        with (directory / name).open("wb") as file:
            write_safetensors(file, members)
        flush(directory / name)
    if len(shards) > 1:
        _write_json(directory / INDEX, _index(shards))
    _write_json(directory / "config.json", config_json)


def new_config_json(
    config_json: Mapping[str, object], recipe: Recipe, planned: Sequence[DirectoryTensor]
) -> dict[str, object]:
    """config.json of the new directory: another dtype, and how the weights are packed."""
    dtype = _DTYPES[plain_format(recipe)]
    changed = _with_dtype(config_json, dtype) | {"dtype": dtype}
    changed.pop("quantization_config", None)
    if recipe.matrix == W4A16:
        changed["quantization_config"] = _quantization_config(planned)
    return changed


def _plan(entry: TensorEntry, recipe: Recipe, model_type: str) -> DirectoryTensor:
    wanted = plain_format(recipe)
    if entry.kind is TensorKind.INDEX:
        wanted = "I64"
    elif recipe.matrix == W4A16 and packs_w4a16(entry):
        wanted = W4A16
    fits = wanted != W4A16 or entry.shape[-1] % 32 == 0
    return DirectoryTensor(
        entry=entry,
        name=checkpoint_name(entry.name, model_type),
        format=wanted if fits else plain_format(recipe),
        wanted=wanted,
    )


def _plain(
    tensor: DirectoryTensor, stored: StoredTensor, threads: int, on_bytes: OnBytes
) -> SafeTensor:
    entry, format = tensor.entry, FORMATS[tensor.format]
    offset = entry.file_offset
    if offset and isinstance(stored, ConvertedTensor):
        stored, offset = stored.stored, 0.0  # the file has what the new one shall have
    name = stored.name
    reader = RowReader(stored)

    def pieces() -> Iterator[Bytes]:
        for part in reader.slices():
            if entry.kind is TensorKind.INDEX:
                piece: Bytes = part.values.to(torch.int64).contiguous().view(torch.uint8).numpy()
            else:
                values = part.values if not offset else part.values.float() - offset
                bounds = entry.kind is TensorKind.CLIP_BOUND
                piece = encode(values, format, name=name, threads=threads, infinite=bounds)
            yield piece
            on_bytes(piece.nbytes)

    return SafeTensor(name=tensor.name, dtype=tensor.format, shape=entry.shape, pieces=pieces)


def _plan_shards(tensors: Sequence[SafeTensor], limit: int) -> dict[str, list[SafeTensor]]:
    """Fill files in order: file name → its tensors. A file is larger only if one tensor is."""
    groups: list[list[SafeTensor]] = [[]]
    size = 0
    for tensor in tensors:
        if groups[-1] and size + tensor.nbytes > limit:
            groups.append([])
            size = 0
        groups[-1].append(tensor)
        size += tensor.nbytes
    if len(groups) == 1:
        return {SINGLE: groups[0]}
    return {
        f"model-{number:05d}-of-{len(groups):05d}.safetensors": group
        for number, group in enumerate(groups, start=1)
    }


def _index(shards: Mapping[str, Sequence[SafeTensor]]) -> dict[str, object]:
    total = sum(tensor.nbytes for group in shards.values() for tensor in group)
    weight_map = {tensor.name: name for name, group in shards.items() for tensor in group}
    return {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    flush(path)


def _with_dtype(config_json: Mapping[str, object], dtype: str) -> dict[str, object]:
    """The same configuration, every dtype in it the new one."""
    changed: dict[str, object] = {}
    for key, value in config_json.items():
        if isinstance(value, dict):
            changed[key] = _with_dtype(value, dtype)
        elif key in ("dtype", "torch_dtype") and value is not None:
            changed[key] = dtype
        else:
            changed[key] = value
    return changed


def _quantization_config(planned: Sequence[DirectoryTensor]) -> dict[str, object]:
    """What compressed-tensors says about packed weights."""
    weights = {
        "num_bits": 4,
        "type": "int",
        "symmetric": True,
        "strategy": "group",
        "group_size": 32,
        "dynamic": False,
    }
    group = {
        "targets": ["Linear"],
        "weights": weights,
        "input_activations": None,
        "output_activations": None,
    }
    plain = [
        tensor.name.removesuffix(".weight")
        for tensor in planned
        if tensor.entry.kind in (TensorKind.LINEAR, TensorKind.EXPERTS) and tensor.format != W4A16
    ]
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": ["lm_head", *plain],
    }
