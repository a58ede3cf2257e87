"""What lies beside the weights of a source, as the new file or directory takes it."""

import json
from collections.abc import Mapping
from pathlib import Path

from ...config import DrafterConfig, ModelConfig
from ...config.generation import GenerationDefaults
from ...errors import CheckpointError
from ...llm.assets import read_defaults, read_template_source
from ...text.tokens.packaged import packaged_tokenizer_json
from ...text.tokens.tokenizer_gguf import tokenizer_from_gguf
from ...text.tokens.vocabulary_gguf import vocabulary_metadata
from ...weights.checkpoint import Checkpoint, CheckpointFormat
from ...weights.gguf.metadata import MetadataValue
from ...weights.quantize.gguf_metadata import Companions

_PACKAGED_SIZE = 262_144  # pieces of the tokenizer that is built in
_COPIED_SUFFIXES = (".json", ".jinja", ".model", ".txt", ".md", ".html")
_COPIED_STARTS = ("LICENSE", "LICENCE", "NOTICE")
_NOT_COPIED = ("config.json", "model.safetensors.index.json")


def companions_for_gguf(checkpoint: Checkpoint) -> tuple[Companions, tuple[str, ...]]:
    """Tokenizer, template and settings of a directory, and notes on them.

    Raises:
        CheckpointError: a file is damaged, or the tokenizer is of another model.
    """
    config = checkpoint.config
    defaults = read_defaults(checkpoint)
    keys, notes = _vocabulary(checkpoint, config)
    lost = tuple(f"left out of the file: {note}" for note in defaults.notes)
    return (
        Companions(tokenizer=keys, template=read_template_source(checkpoint), defaults=defaults),
        (*notes, *lost),
    )


def files_for_directory(
    checkpoint: Checkpoint,
) -> tuple[dict[str, Path | bytes], tuple[str, ...]]:
    """Files of a directory beside weights and config.json, and notes on them."""
    if checkpoint.format is CheckpointFormat.GGUF:
        return _files_of_gguf(checkpoint)
    path = checkpoint.path
    folder = path if path.is_dir() else path.parent
    return {
        file.name: file
        for file in sorted(folder.iterdir())
        if file.is_file()
        and file.name not in _NOT_COPIED
        and (file.suffix in _COPIED_SUFFIXES or file.name.startswith(_COPIED_STARTS))
    }, ()


def _vocabulary(
    checkpoint: Checkpoint, config: ModelConfig | DrafterConfig
) -> tuple[Mapping[str, MetadataValue], tuple[str, ...]]:
    size, path = config.text.vocab_size, checkpoint.tokenizer
    is_gemma3 = config.family == "gemma3"
    if path is None and (is_gemma3 or size != _PACKAGED_SIZE):
        return {}, (
            "the source has no tokenizer.json, so the file has none: llama.cpp will not run it",
        )
    if path is None:
        data, origin = packaged_tokenizer_json(), "the packaged tokenizer"
        notes: tuple[str, ...] = (
            "the source has no tokenizer.json; the packaged one of Gemma 4 is in the file",
        )
    else:
        data, origin, notes = path.read_bytes(), str(path), ()
    kind = "llama" if is_gemma3 else "gemma4"
    try:
        keys = vocabulary_metadata(data, kind=kind, vocab_size=size, origin=origin)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{origin} is no readable tokenizer.json: {error!r}; fetch it again"
        ) from error
    return keys, notes


def _files_of_gguf(checkpoint: Checkpoint) -> tuple[dict[str, Path | bytes], tuple[str, ...]]:
    """Tokenizer, template and settings from a GGUF file's metadata."""
    files: dict[str, Path | bytes] = {}
    notes: tuple[str, ...] = ()
    if checkpoint.tokenizer is not None:
        tokenizer = tokenizer_from_gguf(checkpoint.metadata, origin=str(checkpoint.path))
        files["tokenizer.json"] = tokenizer.to_json()
        notes = ("tokenizer.json is made of the GGUF file's vocabulary",)
    template = read_template_source(checkpoint)
    if template is not None:
        files["chat_template.jinja"] = template.encode()
    settings = _generation_json(read_defaults(checkpoint))
    if settings:
        files["generation_config.json"] = (json.dumps(settings, indent=2) + "\n").encode()
    return files, notes


def _generation_json(defaults: GenerationDefaults) -> dict[str, object]:
    """Content of generation_config.json."""
    found: dict[str, object] = {
        "do_sample": defaults.do_sample,
        "temperature": defaults.temperature,
        "top_k": defaults.top_k,
        "top_p": defaults.top_p,
        "min_p": defaults.min_p,
        "repetition_penalty": defaults.repetition_penalty,
        "eos_token_id": list(defaults.eos_ids) or None,
        "bos_token_id": defaults.bos_id,
        "pad_token_id": defaults.pad_id,
        "suppress_tokens": list(defaults.suppress_ids) or None,
    }
    return {key: value for key, value in found.items() if value is not None}
