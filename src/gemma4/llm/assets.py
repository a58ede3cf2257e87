"""What lies beside the weights: tokenizer, chat template, recommended settings."""

import json
from pathlib import Path

from ..config import ModelConfig
from ..config.generation import (
    GenerationDefaults,
    load_generation_config,
    read_gguf_generation,
)
from ..errors import CheckpointError, ConfigError, EnvironmentFault
from ..text.packaged import packaged_tokenizer
from ..text.renderer import BuiltinTemplate
from ..text.renderer_gemma3 import Gemma3Template
from ..text.template import JinjaTemplate, Template
from ..text.tokenizer import Tokenizer, tokenizer_from_directory
from ..text.tokenizer_gguf import tokenizer_from_gguf
from ..weights.checkpoint import Checkpoint
from ..weights.gguf_file import open_gguf

GGUF_TEMPLATE = "tokenizer.chat_template"


def read_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> tuple[Tokenizer, tuple[str, ...]]:
    """The checkpoint's tokenizer, else the packaged one of Gemma 4 with a note that says so.

    Raises:
        CheckpointError: it is damaged, or has ids that the model's vocabulary lacks.
    """
    notes: tuple[str, ...] = ()
    path = checkpoint.tokenizer
    if path is None:
        tokenizer = packaged_tokenizer()
        notes = ("the checkpoint came with no tokenizer; the packaged one of Gemma 4 is used",)
    elif path.suffix == ".gguf":
        tokenizer = tokenizer_from_gguf(open_gguf(path).metadata, origin=str(path))
    else:
        tokenizer = tokenizer_from_directory(path.parent)
    if tokenizer.vocab_size > vocab_size:
        raise CheckpointError(
            f"the tokenizer of {checkpoint.path} has {tokenizer.vocab_size} ids and the model "
            f"{vocab_size}; they belong to different models"
        )
    return tokenizer, notes


def read_template(checkpoint: Checkpoint) -> JinjaTemplate | None:
    """The chat template that came with the checkpoint; None if none came.

    Raises:
        TemplateError: it is no Jinja. CheckpointError: its file is damaged.
    """
    source = read_template_source(checkpoint)
    return None if source is None else JinjaTemplate(source)


def read_template_source(checkpoint: Checkpoint) -> str | None:
    """The text of the chat template that came with the checkpoint; None if none came.

    Raises:
        CheckpointError: its file is damaged.
    """
    path = checkpoint.chat_template
    source = None if path is None else _template_source(path)
    if source is not None and not isinstance(source, str):
        raise CheckpointError(
            f"the chat template in {path} is a {type(source).__name__}, not text; replace the file"
        )
    return source


def _template_source(path: Path) -> object:
    if path.suffix == ".gguf":
        return open_gguf(path).metadata.get(GGUF_TEMPLATE)
    return _json_template(path) if path.suffix == ".json" else _read_text(path)


def builtin_template(config: ModelConfig, tokenizer: Tokenizer) -> Template:
    """Our own renderer, for a checkpoint that came with no template.

    Gemma 3's turns for a Gemma 3 tokenizer. E2B and E4B are told from the larger sizes by their
    per-layer embeddings.
    """
    if config.family == "gemma3" or "<|turn>" not in tokenizer.special_ids:
        return Gemma3Template()
    return BuiltinTemplate("small" if config.text.per_layer_dim else "large")


def read_defaults(checkpoint: Checkpoint) -> GenerationDefaults:
    """What the checkpoint recommends for generation."""
    path = checkpoint.generation_config
    if path is None:
        return GenerationDefaults()
    if path.suffix == ".gguf":
        return read_gguf_generation(open_gguf(path).metadata, path)
    return load_generation_config(path)


def _json_template(path: Path) -> object:
    try:
        data = json.loads(_read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}; fetch the file again") from error
    return data.get("chat_template") if isinstance(data, dict) else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}; check the file") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is no UTF-8 text: {error.reason}; replace it") from error
