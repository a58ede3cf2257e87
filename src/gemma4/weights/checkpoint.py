"""What an opened checkpoint is, whatever its file format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..config import DrafterConfig, ModelConfig
from .source import TensorSource


class CheckpointFormat(StrEnum):
    """File format of a checkpoint."""

    HUGGING_FACE = "huggingface"
    GGUF = "gguf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint with its configuration read and its tensors listed, none of them read.

    Attributes:
        path: the directory or file that was opened.
        source: tensors by module path, with the model's values and layouts.
        tokenizer: tokenizer.json, or the .gguf whose metadata holds it; None: it came with none.
        chat_template: chat_template.jinja, chat_template.json or tokenizer_config.json, or the .gguf
            whose metadata holds it; None: it came with none.
        generation_config: generation_config.json, or the .gguf; None: it came with none.
        metadata: of a .gguf, read once; empty for a directory.
        notes: what the user may want to know, one sentence each.
    """

    path: Path
    format: CheckpointFormat
    config: ModelConfig | DrafterConfig
    source: TensorSource
    tokenizer: Path | None
    chat_template: Path | None
    generation_config: Path | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
