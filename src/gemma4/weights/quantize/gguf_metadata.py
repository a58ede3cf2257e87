"""What GGUF files say beside their tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...config import DrafterConfig, ModelConfig
from ...config.generation import GenerationDefaults
from ...config.gguf.media_writer import write_mmproj_config
from ...config.gguf.writer import architecture_of, write_gguf_config, write_gguf_generation
from ..gguf.metadata import MetadataValue
from .plan import GgufPlan
from .recipes import Recipe

_QUANTIZATION_VERSION = 2  # of ggml's blocks
_BFLOAT16_FILE = 32  # `general.file_type` of projectors, which are never quantized
# Keys of a source file that say how it was made, and would be wrong about the new one.
_OF_THE_OLD_FILE = ("quantize.", "split.", "general.alignment")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the numbers come from.

    Attributes:
        name: of the model, for `general.name`.
        file: name of the source's file or directory.
        encodings: of the source's matrices → how many.
        requantized: those that were in blocks before and are in others now.
        program: and its version.
    """

    name: str
    file: str
    encodings: Mapping[str, int]
    requantized: Mapping[str, int]
    program: str

    def keys(self) -> dict[str, MetadataValue]:
        """Metadata that tell it."""
        told: dict[str, MetadataValue] = {
            "general.quantized_by": self.program,
            "quantize.source": self.file,
            "quantize.source_encodings": _listed(self.encodings),
        }
        if self.requantized:
            told["quantize.requantized"] = _listed(self.requantized)
        return told


@dataclass(frozen=True, kw_only=True, slots=True)
class Companions:
    """What comes with the weights of a directory; a GGUF source has all of it in its metadata.

    Attributes:
        tokenizer: keys `tokenizer.ggml.*`, without special ids; empty: none came.
        template: the chat template.
    """

    tokenizer: Mapping[str, MetadataValue] = field(default_factory=dict)
    template: str | None = None
    defaults: GenerationDefaults = field(default_factory=GenerationDefaults)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextMetadata:
    """Keys of the text file, and a note on everything that GGUF has no key for."""

    keys: Mapping[str, MetadataValue]
    notes: tuple[str, ...] = ()


def text_metadata(
    config: ModelConfig | DrafterConfig,
    plan: GgufPlan,
    recipe: Recipe,
    origin: Origin,
    came_with: Companions | Mapping[str, MetadataValue],
) -> TextMetadata:
    """Keys of the text model's file.

    Args:
        came_with: the metadata of a GGUF source, else what lay in the directory.

    Raises:
        ConfigError: GGUF cannot say what the configuration says.
    """
    notes: tuple[str, ...] = ()
    if isinstance(came_with, Companions):
        kept: dict[str, MetadataValue] = dict(came_with.tokenizer)
        generation, notes = write_gguf_generation(came_with.defaults, config)
        kept |= generation
        if came_with.template is not None:
            kept["tokenizer.chat_template"] = came_with.template
    else:
        kept = _kept(came_with, architecture_of(config))
    shapes = {tensor.name: tensor.shape for tensor in plan.text}
    keys: dict[str, MetadataValue] = dict(
        write_gguf_config(config, shapes, kept.get("tokenizer.ggml.tokens"))
    )
    keys |= {"general.type": "model", "general.name": origin.name}
    keys |= kept | _file_keys(recipe.file_type) | origin.keys()
    return TextMetadata(keys=keys, notes=notes)


def media_metadata(
    config: ModelConfig, plan: GgufPlan, recipe: Recipe, origin: Origin
) -> dict[str, MetadataValue]:
    """Keys of the projector's file.

    Raises:
        ConfigError: GGUF cannot say what the configuration says.
    """
    shapes = {tensor.name: tensor.shape for tensor in plan.media}
    keys: dict[str, MetadataValue] = dict(write_mmproj_config(config, shapes))
    keys["general.name"] = origin.name
    return (
        keys | _file_keys(recipe.file_type if recipe.is_plain else _BFLOAT16_FILE) | origin.keys()
    )


def _kept(metadata: Mapping[str, MetadataValue], architecture: str) -> dict[str, MetadataValue]:
    """Keys of a GGUF source that are as true of the new file; the architecture's are made anew."""
    gone = (f"{architecture}.", *_OF_THE_OLD_FILE)
    return {key: value for key, value in metadata.items() if not key.startswith(gone)}


def _file_keys(file_type: int | None) -> dict[str, MetadataValue]:
    assert file_type is not None, "a plan of GGUF has a file type"
    return {
        "general.file_type": file_type,
        "general.quantization_version": _QUANTIZATION_VERSION,
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in sorted(counts.items()))
