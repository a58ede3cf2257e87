"""Opens a Hugging Face checkpoint: a directory, or one safetensors file beside its config.json."""

from collections.abc import Mapping
from pathlib import Path

from ...config.huggingface.reader import load_json_object, read_config
from ...errors import ConfigError, ModelNotFoundError
from ..checkpoint import Checkpoint, CheckpointFormat
from .compressed_tensors import open_huggingface
from .names import model_source
from .shard_index import list_shards

CONFIG = "config.json"


def open_huggingface_checkpoint(path: Path) -> Checkpoint:
    """Read the configuration and list the tensors.

    Args:
        path: the directory, or a .safetensors file in it that holds the whole model.

    Raises:
        ModelNotFoundError: there is no config.json.
        ConfigError, CheckpointError: it or the weights are not usable.
    """
    directory = path if path.is_dir() else path.parent
    if path.is_dir():
        list_shards(directory)  # says what there is instead, if there are no weights
    config_path = directory / CONFIG
    if not config_path.is_file():
        raise ModelNotFoundError(
            f"{directory} has no {CONFIG}, which describes the model; download it with the weights"
        )
    data = load_json_object(config_path)
    config = read_config(data, config_path)
    source = open_huggingface(path, _quantization(data, config_path))
    return Checkpoint(
        path=path,
        format=CheckpointFormat.HUGGING_FACE,
        config=config,
        source=model_source(source, config),
        tokenizer=_if_file(directory / "tokenizer.json"),
        chat_template=_find_template(directory),
        generation_config=_if_file(directory / "generation_config.json"),
    )


def _quantization(data: Mapping[str, object], path: Path) -> Mapping[str, object] | None:
    """How config.json says that the weights are packed; None: they are plain."""
    found = data.get("quantization_config")
    if found is not None and not isinstance(found, dict):
        raise ConfigError(
            f"{path} has quantization_config={found!r}, expected an object; fetch the file again"
        )
    return found


def _find_template(directory: Path) -> Path | None:
    """The file with the chat template: its own, or tokenizer_config.json if it has the key."""
    for name in ("chat_template.jinja", "chat_template.json"):
        if (directory / name).is_file():
            return directory / name
    settings = directory / "tokenizer_config.json"
    if settings.is_file() and load_json_object(settings).get("chat_template") is not None:
        return settings
    return None


def _if_file(path: Path) -> Path | None:
    return path if path.is_file() else None
