"""A model's card: what can be said about it from its files' headers. No weight is read."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..config import DrafterConfig, ModelConfig
from ..fit.counts import (
    MEDIA_ROLES,
    Role,
    count_active_parameters,
    count_parameters,
    counted_tensors,
)
from ..hub.manifest import Manifest
from ..hub.selection import label_of_file
from ..text.templates.template import JinjaTemplate
from ..weights.checkpoint import Checkpoint
from ..weights.open_checkpoint import open_checkpoint
from .assets import read_defaults, read_template


def describe_model(name: str, path: Path, manifest: Manifest | None) -> dict[str, Any]:
    """The card as JSON values. `manifest` is there for models of the store.

    Raises:
        CheckpointError, ConfigError, ModelNotFoundError: the files are no model that can be loaded.
    """
    checkpoint = open_checkpoint(path)
    config = checkpoint.config
    template = read_template(checkpoint)
    return {
        "name": name,
        "path": str(path),
        "architecture": config.family,
        "format": str(checkpoint.format),
        "quantization": manifest.quantization if manifest else _main_encoding(checkpoint),
        "encodings_bytes": _encodings(checkpoint),
        "parameters": parameters_of(config),
        "context_length": config.text.max_positions,
        "modalities": list(config.modalities) if isinstance(config, ModelConfig) else ["text"],
        "capabilities": _capabilities(config, template),
        "template": {"revision": template.revision} if template else None,
        "sampling": _sampling_card(checkpoint),
        "licence": _licence(checkpoint, manifest),
        "source": asdict(manifest.source) if manifest else None,
        "pulled": manifest.pulled if manifest else None,
        "size_bytes": sum(size for _, size in files_of(path, manifest)),
        "files": [{"path": file, "size": size} for file, size in files_of(path, manifest)],
        "notes": list(checkpoint.notes),
    }


def parameters_of(config: ModelConfig | DrafterConfig) -> dict[str, int]:
    """Parameters by what they cost.

    `total`: all. `text`: the decoder with its embeddings. `effective`: of these, all but the per-layer
    tables, which are only looked up. `active`: of these, what one token passes: its experts only.
    """
    tensors = counted_tensors(config)
    text = [tensor for tensor in tensors if tensor.role not in MEDIA_ROLES]
    kept = [tensor for tensor in text if tensor.role is not Role.PER_LAYER_TABLE]
    return {
        "total": count_parameters(tensors),
        "text": count_parameters(text),
        "effective": count_parameters(kept),
        "active": count_active_parameters(config),
    }


def files_of(path: Path, manifest: Manifest | None) -> list[tuple[str, int]]:
    """Names and sizes in bytes of a model's files."""
    if manifest is not None:
        return [(file.path, file.size) for file in manifest.files]
    if path.is_file():
        return [(path.name, path.stat().st_size)]
    found = sorted(file for file in path.iterdir() if file.is_file())
    return [(file.name, file.stat().st_size) for file in found]


def _capabilities(config: ModelConfig | DrafterConfig, template: JinjaTemplate | None) -> list[str]:
    """What it can be asked for. Chat, tools and thinking are what its template can render."""
    if isinstance(config, DrafterConfig):
        return ["drafting"]
    found = ["completion"]
    if template is not None:
        found.append("chat")
        found += ["tools"] if "tools" in template.variables else []
        found += ["thinking"] if "enable_thinking" in template.variables else []
    return found + [medium for medium in config.modalities if medium != "text"]


def _sampling_card(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """The recommended settings, without those it says nothing about."""
    if checkpoint.generation_config is None:
        return None
    defaults = asdict(read_defaults(checkpoint))
    return {key: value for key, value in defaults.items() if value not in (None, ())}


def _licence(checkpoint: Checkpoint, manifest: Manifest | None) -> str | None:
    if manifest is not None:
        return manifest.licence
    found = checkpoint.metadata.get("general.license")
    return None if found is None else str(found)


def _encodings(checkpoint: Checkpoint) -> dict[str, int]:
    """Bytes in the files by how they are stored, most first."""
    sizes = Counter[str]()
    for tensor in checkpoint.source.tensors.values():
        sizes[tensor.encoding] += tensor.nbytes
    return dict(sizes.most_common())


def _main_encoding(checkpoint: Checkpoint) -> str:
    name = label_of_file(checkpoint.path.name)
    return name or next(iter(_encodings(checkpoint)), "unknown")
