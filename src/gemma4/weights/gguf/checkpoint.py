"""Opens a GGUF model, with the projector (mmproj) that lets it see and hear."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...config import DrafterConfig, ModelConfig
from ...config.gguf.media import read_mmproj_config
from ...config.gguf.reader import attach_media, read_gguf_config
from ...errors import CheckpointError
from ..checkpoint import Checkpoint, CheckpointFormat
from ..derived import NamedSource
from ..source import StoredTensor
from .names import model_source
from .source import GgufSource, open_gguf_source

PROJECTOR_ARCHITECTURE = "clip"
CENTROIDS = "masked_embd_centroids.weight"
TOP_CENTROIDS = 32
"""Clusters that an ordered head looks at; every published drafter says so, no GGUF key does."""


def is_projector_name(name: str) -> bool:
    """True if a file is named as llama.cpp names projectors."""
    return "mmproj" in name.lower()


def find_projector(model: Path) -> Path | None:
    """The projector beside a model; None if there is none or the model is one itself.

    Raises:
        CheckpointError: there are several to choose from.
    """
    if is_projector_name(model.name):
        return None
    beside = sorted(
        path
        for path in model.parent.iterdir()
        if path.suffix.lower() == ".gguf" and is_projector_name(path.name)
    )
    if len(beside) > 1:
        raise CheckpointError(
            f"{model.parent} has {len(beside)} projectors for {model.name}: "
            f"{', '.join(path.name for path in beside)}; say which one, or ask for text only"
        )
    return beside[0] if beside else None


def open_gguf_checkpoint(
    path: Path, *, projector: Path | None = None, beside: Path | None = None
) -> Checkpoint:
    """Read the metadata and list the tensors of a model and its projector.

    Args:
        projector: must fit the model.
        beside: is left out, with a note, if the model takes no media.

    Raises:
        CheckpointError: the file is a projector itself, or `projector` is none or does not fit.
        ConfigError: the metadata are not understood.
    """
    file = open_gguf_source(path)
    if file.metadata.get("general.architecture") == PROJECTOR_ARCHITECTURE:
        raise CheckpointError(
            f"{path} is a projector (mmproj): it sees and hears for a language model but holds none; "
            "give the model's .gguf, the projector is found beside it"
        )
    config = read_gguf_config(file.metadata, path, _shapes(file))
    tensors: Mapping[str, StoredTensor] = file.tensors
    notes: list[str] = []
    if isinstance(config, DrafterConfig):
        config = _with_ordered_head(config, file, notes)
    takes_media = isinstance(config, ModelConfig) and config.family != "gemma3"
    if projector is None and beside is not None:
        projector = beside if takes_media else None
        kind = "found beside the model" if takes_media else "left out: this model takes no media"
        notes.append(f"projector {beside.name} {kind}")
    if projector is not None:
        if not isinstance(config, ModelConfig) or not takes_media:
            raise CheckpointError(f"{path} takes no media; leave out the projector {projector}")
        config, tensors = _join(config, file, open_gguf_source(projector))
    has_template = "tokenizer.chat_template" in file.metadata
    return Checkpoint(
        path=path,
        format=CheckpointFormat.GGUF,
        config=config,
        source=model_source(NamedSource(path=path, tensors=tensors), config),
        tokenizer=path if "tokenizer.ggml.tokens" in file.metadata else None,
        chat_template=path if has_template else None,
        generation_config=path,
        metadata=file.metadata,
        notes=tuple(notes),
    )


def _shapes(file: GgufSource) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in file.tensors.items()}


def _with_ordered_head(config: DrafterConfig, file: GgufSource, notes: list[str]) -> DrafterConfig:
    """Some converters keep the ordered head that llama.cpp's own leaves out."""
    if CENTROIDS not in file.tensors:
        return config
    notes.append(f"the drafter's head looks at {TOP_CENTROIDS} clusters, as published ones do")
    return replace(
        config, num_centroids=file.tensors[CENTROIDS].shape[0], top_centroids=TOP_CENTROIDS
    )


def _join(
    config: ModelConfig, model: GgufSource, projector: GgufSource
) -> tuple[ModelConfig, Mapping[str, StoredTensor]]:
    """One configuration and one set of tensors of both files."""
    vision, audio = read_mmproj_config(projector.metadata, projector.path, _shapes(projector))
    twice = sorted(model.tensors.keys() & projector.tensors.keys())
    if twice:
        raise CheckpointError(
            f"{model.path} and {projector.path} both have {len(twice)} tensors ({twice[0]}, …); "
            "the model has its projector in it, leave the other out"
        )
    return attach_media(config, vision, audio), {**model.tensors, **projector.tensors}
