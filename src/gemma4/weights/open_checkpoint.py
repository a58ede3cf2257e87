"""Opens whatever a user calls a model on disk: a directory, a .safetensors file or a .gguf file."""

from dataclasses import replace
from pathlib import Path

from ..errors import CheckpointError, ModelNotFoundError
from .checkpoint import Checkpoint, CheckpointFormat
from .gguf.checkpoint import find_projector, is_projector_name, open_gguf_checkpoint
from .huggingface.checkpoint import open_huggingface_checkpoint

__all__ = ["Checkpoint", "CheckpointFormat", "open_checkpoint"]


def open_checkpoint(
    path: Path | str, *, projector: Path | str | None = None, text_only: bool = False
) -> Checkpoint:
    """Read the configuration and list the tensors; no tensor is read.

    Args:
        path: a Hugging Face directory, a directory that holds one text model as .gguf, a .gguf, or a
            .safetensors with its config.json beside it.
        projector: the mmproj .gguf that lets a .gguf model see and hear; None takes the one that lies
            beside it, if any.
        text_only: take no projector.

    Raises:
        ModelNotFoundError: there is no such path, or no config.json.
        CheckpointError: no weights, several models, a projector without a model, or damaged files.
        ConfigError: the configuration is not understood.
    """
    path = Path(path)
    if not path.exists():
        raise ModelNotFoundError(f"{path} does not exist; check the path")
    if path.is_dir():
        path = _only_gguf(path) or path
    if path.is_dir() or path.suffix == ".safetensors":
        if projector is not None:
            raise CheckpointError(
                f"{path} is no .gguf model and has its own vision and audio parts; "
                f"leave out the projector {projector}"
            )
        return _with_note(open_huggingface_checkpoint(path))
    if projector is not None:
        return open_gguf_checkpoint(path, projector=Path(projector))
    return open_gguf_checkpoint(path, beside=None if text_only else find_projector(path))


def _with_note(checkpoint: Checkpoint) -> Checkpoint:
    """Tell of .gguf files that lie beside the weights used."""
    if not checkpoint.path.is_dir():
        return checkpoint
    files = sorted(path.name for path in checkpoint.path.glob("*.gguf"))
    if not files:
        return checkpoint
    note = f"the safetensors are used, not {', '.join(files)} beside them"
    return replace(checkpoint, notes=(*checkpoint.notes, note))


def _only_gguf(directory: Path) -> Path | None:
    """The text model of a directory without safetensors; None: it has some, or has no .gguf.

    Raises:
        CheckpointError: several text models, or a projector alone.
    """
    names = [path.name for path in directory.iterdir()]
    if any(name.endswith((".safetensors", ".safetensors.index.json")) for name in names):
        return None
    files = sorted(name for name in names if name.lower().endswith(".gguf"))
    models = [name for name in files if not is_projector_name(name)]
    if len(models) > 1:
        raise CheckpointError(
            f"{directory} has {len(models)} .gguf models: {', '.join(models)}; give one of the files"
        )
    if files and not models:
        raise CheckpointError(
            f"{directory} has only {', '.join(files)}, which sees and hears for a language model "
            "but holds none; put the model's .gguf beside it"
        )
    return directory / models[0] if models else None
