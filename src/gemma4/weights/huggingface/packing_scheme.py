"""What `quantization_config` of a config.json says about the weights, read strictly.

Supported is what the official QAT checkpoints use: compressed-tensors, format pack-quantized, 4-bit
integers, one scale a group or a row, symmetric or with zero points. Everything else is refused by
name, since reading it as if it were this would give plausible wrong numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError

_REMEDY = (
    "supported is compressed-tensors pack-quantized with 4-bit integer weights (W4A16); "
    "take the bf16, the QAT W4A16 or a GGUF version of the model"
)
_CONFIG_KEYS = {
    *("quant_method", "format", "config_groups", "ignore", "kv_cache_scheme", "version"),
    *("quantization_status", "global_compression_ratio", "sparsity_config", "transform_config"),
    "run_compressed",
}
_GROUP_KEYS = {"targets", "weights", "input_activations", "output_activations", "format"}
# Those of the first line decide the numbers; the second tells how they were found.
_WEIGHT_KEYS = {
    *("num_bits", "type", "symmetric", "strategy", "group_size", "dynamic", "block_structure"),
    *("actorder", "observer", "observer_kwargs", "scale_dtype", "zp_dtype"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PackingScheme:
    """How a group of layers is quantized.

    Attributes:
        group_size: weights of a row that share a scale; None: the whole row.
        symmetric: no zero points.
        reordered: each column names its group.
    """

    group_size: int | None
    symmetric: bool
    reordered: bool


def read_schemes(config: Mapping[str, Any], path: Path) -> tuple[PackingScheme, ...]:
    """Read a `quantization_config`; `path` is of its file, for messages.

    Raises:
        ConfigError: any other way of quantizing, naming it.
    """
    method, form = config.get("quant_method"), config.get("format")
    if method != "compressed-tensors":
        raise _refuse(path, f"quant_method is {method!r}")
    if form != "pack-quantized":
        raise _refuse(path, f"format is {form!r}")
    _refuse_unknown(path, config, _CONFIG_KEYS, "quantization_config")
    for key in ("kv_cache_scheme", "sparsity_config", "transform_config"):
        if config.get(key) not in (None, {}, {"format": "dense"}):
            raise _refuse(path, f"{key} is set")
    if config.get("quantization_status") not in (None, "compressed"):
        raise _refuse(path, f"quantization_status is {config['quantization_status']!r}")
    groups = config.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise _refuse(path, "config_groups holds no group")
    return tuple(_read_group(path, name, group) for name, group in groups.items())


def _read_group(path: Path, name: str, group: object) -> PackingScheme:
    if not isinstance(group, Mapping):
        raise _refuse(path, f"config_groups.{name} is {group!r}, not an object")
    _refuse_unknown(path, group, _GROUP_KEYS, f"config_groups.{name}")
    for key in ("input_activations", "output_activations"):
        if group.get(key) is not None:
            raise _refuse(path, f"config_groups.{name} quantizes {key}")
    if group.get("format") not in (None, "pack-quantized"):
        raise _refuse(path, f"the format of config_groups.{name} is {group['format']!r}")
    weights = group.get("weights")
    if not isinstance(weights, Mapping):
        raise _refuse(path, f"config_groups.{name} has no weights")
    return _read_weights(path, f"config_groups.{name}.weights", weights)


def _read_weights(path: Path, where: str, weights: Mapping[str, Any]) -> PackingScheme:
    _refuse_unknown(path, weights, _WEIGHT_KEYS, where)
    required = {"num_bits": 4, "type": "int", "dynamic": False, "block_structure": None}
    for key, only in required.items():
        value = weights.get(key, None if key in ("num_bits", "type") else only)
        if value != only:
            raise _refuse(path, f"{where}.{key} is {value!r}")
    symmetric = weights.get("symmetric", True)
    if not isinstance(symmetric, bool):
        raise _refuse(path, f"{where}.symmetric is {symmetric!r}")
    order = weights.get("actorder")
    if order not in (None, False, "weight", "static", True, "group", "dynamic"):
        raise _refuse(path, f"{where}.actorder is {order!r}")
    return PackingScheme(
        group_size=_read_group_size(path, where, weights),
        symmetric=symmetric,
        reordered=order in (True, "group", "dynamic"),
    )


def _read_group_size(path: Path, where: str, weights: Mapping[str, Any]) -> int | None:
    strategy, size = weights.get("strategy"), weights.get("group_size")
    if strategy == "channel" and size in (None, -1):
        return None
    if strategy == "group" and type(size) is int and size > 0:
        return size
    raise _refuse(path, f"{where} has strategy {strategy!r} with group_size {size!r}")


def _refuse_unknown(path: Path, found: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(found.keys() - known):
        raise _refuse(path, f"{where} has the unknown key {unknown[0]!r}")


def _refuse(path: Path, problem: str) -> ConfigError:
    return ConfigError(f"{path}: quantization_config cannot be read: {problem}; {_REMEDY}")
