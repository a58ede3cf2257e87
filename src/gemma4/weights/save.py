"""Writes a model as a Hugging Face checkpoint that transformers loads unchanged.

The directory appears under its name only when it is complete: files are written and flushed in a
directory beside it, which is then renamed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..config import DrafterConfig, ModelConfig
from ..config.huggingface.reader import read_config
from ..errors import InputError
from ..quant.embedding import MappedEmbedding, RowTable
from ..tensors.entry import TensorEntry, TensorKind
from ..tensors.table import LANGUAGE_MODEL, tensor_table
from .huggingface.names import checkpoint_name
from .huggingface.shard_index import INDEX, SINGLE
from .output_files import flush, new_directory

DEFAULT_SHARD_BYTES = 5 * 1000**3
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedTensor:
    """A tensor on its way to a file: its name there, its bytes, and where its values come from."""

    name: str
    nbytes: int
    entry: TensorEntry


def save_checkpoint(
    model: nn.Module,
    config_json: Mapping[str, object],
    directory: Path,
    *,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
) -> tuple[Path, ...]:
    """Write config.json and the weights; give the files written.

    The head is left out, because it is tied; norms that the format stores less one are stored so.

    Args:
        model: its parameters and buffers are those of the table, with values.
        config_json: content of config.json; also says which names the format has.
        directory: must not exist, or be empty.
        shard_bytes: largest weight file, unless a single tensor is larger.

    Raises:
        InputError: the directory has files in it, `shard_bytes` is below 1, or a parameter has no
            values.
        ConfigError: the configuration is not understood.
        EnvironmentFault: the disk is full or may not be written to.
    """
    if shard_bytes < 1:
        raise InputError(f"shard_bytes={shard_bytes}; a weight file needs at least 1 byte")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory} exists and is not an empty directory; choose another")
    config = read_config(config_json, "config.json")
    _refuse_contradictions(model, config, config_json)
    tensors = _list_tensors(model, config, str(config_json["model_type"]))
    shards = _plan_shards(tensors, shard_bytes)
    with new_directory(directory) as partial:
        for file_name, members in shards.items():
            _write_shard(model, config, members, partial / file_name)
        if len(shards) > 1:
            _write_json(partial / INDEX, _index(shards))
        _write_json(partial / "config.json", config_json)
    return tuple(sorted(directory.iterdir()))


def _refuse_contradictions(
    model: nn.Module, config: ModelConfig | DrafterConfig, config_json: Mapping[str, object]
) -> None:
    """Refuse a config.json that would make a reader misread or round the weights."""
    if "quantization_config" in config_json:
        raise InputError(
            "config.json has a quantization_config, but the weights are written as plain numbers; "
            "leave the key out"
        )
    written = str(_embedding(model, config).dtype).removeprefix("torch.")
    if config.stored_dtype not in (None, written):
        raise InputError(
            f"config.json says dtype={config.stored_dtype!r}, but the weights are {written}; "
            f"set its dtype to {written!r}"
        )


def _embedding(model: nn.Module, config: ModelConfig | DrafterConfig) -> Tensor:
    prefix = "model." if isinstance(config, DrafterConfig) else LANGUAGE_MODEL
    return _held(model, f"{prefix}embed_tokens.weight")


def _list_tensors(
    model: nn.Module, config: ModelConfig | DrafterConfig, model_type: str
) -> list[SavedTensor]:
    """Every tensor of the table with its size in the file."""
    found = []
    for entry in tensor_table(config):
        dtype = _saved_dtype(model, config, entry)
        found.append(
            SavedTensor(
                name=checkpoint_name(entry.name, model_type),
                nbytes=entry.num_elements * dtype.itemsize,
                entry=entry,
            )
        )
    return found


def _saved_dtype(
    model: nn.Module, config: ModelConfig | DrafterConfig, entry: TensorEntry
) -> torch.dtype:
    """The tensor's own; the model's for mapped tables and what is float32 to hold an offset."""
    if entry.file_offset or entry.kind is TensorKind.PER_LAYER_TABLE:
        return _embedding(model, config).dtype
    return _held(model, entry.name).dtype


def _held(model: nn.Module, path: str) -> Tensor:
    """A parameter or buffer of the model."""
    owner, _, name = path.rpartition(".")
    try:
        value = getattr(model.get_submodule(owner), name)
    except AttributeError:
        value = None
    if not isinstance(value, Tensor) or value.is_meta:
        raise InputError(f"the model has no values for {path}; load its weights before saving")
    return value


def _values(model: nn.Module, config: ModelConfig | DrafterConfig, entry: TensorEntry) -> Tensor:
    """What the file gets, on the CPU and contiguous."""
    dtype = _saved_dtype(model, config, entry)
    module = model.get_submodule(entry.name.rpartition(".")[0])
    if isinstance(module, MappedEmbedding):
        return _read_table(module.table, dtype)
    held = _held(model, entry.name).detach()
    if entry.file_offset:
        held = held.float() - entry.file_offset
    return held.to("cpu", dtype).contiguous()


def _read_table(table: RowTable, dtype: torch.dtype) -> Tensor:
    """A mapped table, whole: a file is written from memory."""
    whole = torch.empty(table.shape, dtype=dtype)
    for start in range(0, len(whole), _ROWS_AT_ONCE):
        rows = torch.arange(start, min(start + _ROWS_AT_ONCE, len(whole)))
        whole[rows] = table.rows(rows, dtype)
    return whole


def _plan_shards(tensors: list[SavedTensor], shard_bytes: int) -> dict[str, list[SavedTensor]]:
    """Fill files in the table's order: file name → its tensors."""
    groups: list[list[SavedTensor]] = [[]]
    size = 0
    for tensor in tensors:
        if groups[-1] and size + tensor.nbytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(tensor)
        size += tensor.nbytes
    if len(groups) == 1:
        return {SINGLE: groups[0]}
    count = len(groups)
    return {
        f"model-{number:05d}-of-{count:05d}.safetensors": group
        for number, group in enumerate(groups, start=1)
    }


def _index(shards: Mapping[str, list[SavedTensor]]) -> dict[str, object]:
    total = sum(tensor.nbytes for group in shards.values() for tensor in group)
    weight_map = {tensor.name: name for name, group in shards.items() for tensor in group}
    return {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}


def _write_shard(
    model: nn.Module,
    config: ModelConfig | DrafterConfig,
    members: list[SavedTensor],
    path: Path,
) -> None:
    values = {tensor.name: _values(model, config, tensor.entry) for tensor in members}
    save_file(values, path, metadata={"format": "pt"})
    flush(path)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    flush(path)
