"""Every tensor of a model, from its configuration alone.

The loader, the saver, the exporter and the quantizer read this one table.
"""

from collections.abc import Iterator

from ..config import (
    AudioConfig,
    DrafterConfig,
    ModelConfig,
    UnifiedAudioConfig,
    UnifiedVisionConfig,
    VisionConfig,
)
from .audio import audio_entries
from .drafter import drafter_entries
from .entry import TensorEntry
from .text import dead_names, text_entries
from .unified import unified_audio_entries, unified_vision_entries
from .vision import vision_entries

LANGUAGE_MODEL = "model.language_model."
"""Where the decoder's modules lie in a model; in a drafter they lie at `model.`."""


def tensor_table(config: ModelConfig | DrafterConfig) -> tuple[TensorEntry, ...]:
    """List every tensor that the model has; names are unique."""
    if isinstance(config, DrafterConfig):
        return tuple(drafter_entries(config))
    return tuple(_model_entries(config))


def dead_tensor_names(config: ModelConfig | DrafterConfig) -> tuple[tuple[str, str], ...]:
    """Pairs (module path, GGUF name) of tensors that a file may carry though nothing uses them.

    These are the key and value tensors of layers that borrow another layer's keys.
    """
    prefix = "model." if isinstance(config, DrafterConfig) else LANGUAGE_MODEL
    return tuple(dead_names(config.text, prefix))


def _model_entries(config: ModelConfig) -> Iterator[TensorEntry]:
    width = config.text.hidden_size
    yield from text_entries(config.text, LANGUAGE_MODEL)
    match config.vision:
        case VisionConfig():
            yield from vision_entries(config.vision, width)
        case UnifiedVisionConfig():
            yield from unified_vision_entries(config.vision, width)
        case None:
            pass
    match config.audio:
        case AudioConfig():
            yield from audio_entries(config.audio, width)
        case UnifiedAudioConfig():
            yield from unified_audio_entries(config.audio, width)
        case None:
            pass
