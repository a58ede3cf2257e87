"""The vision and audio configuration from a projector file (mmproj), `general.architecture` = clip.

Most sizes of the towers stand in no key; the shapes of the tensors tell them.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Final

from ...errors import ConfigError
from ..section import Section, raise_problems, shown
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .values import Shapes, open_section, shortest

IGNORED_KEYS: Final[Mapping[str, str]] = {
    "vision.image_size": "llama.cpp wants it; images have any size",
    "vision.image_mean": "pixels are scaled inside the model",
    "vision.image_std": "pixels are scaled inside the model",
    "vision.image_min_pixels": "the budget is chosen for each request",
    "vision.image_max_pixels": "the budget is chosen for each request",
    "vision.projection_dim": "the decoder's width, known from its own file",
    "audio.projection_dim": "the decoder's width, known from its own file",
    "use_gelu": "the activations are Gemma's own",
    "use_silu": "the activations are Gemma's own",
}
"""Key (after `clip.`) → why it changes nothing here."""


def read_mmproj_config(
    metadata: Mapping[str, object], path: Path | str, shapes: Shapes
) -> tuple[
    VisionConfig | UnifiedVisionConfig | None,
    AudioConfig | UnifiedAudioConfig | None,
]:
    """Read the towers (projectors gemma4v, gemma4a) or the 12B's embedders (gemma4uv, gemma4ua).

    Args:
        shapes: tensor name → shape, outermost dimension first.

    Raises:
        ConfigError: the file is no projector of Gemma 4, or keys or tensors are missing or wrong: all
            are listed.
    """
    architecture = metadata.get("general.architecture")
    if architecture != "clip":
        raise ConfigError(
            f"{path} has general.architecture={shown(architecture)}; a projector (mmproj) has 'clip'"
        )
    problems: list[str] = []
    section = open_section(metadata, "clip", problems)
    section.ignore(IGNORED_KEYS)
    vision = audio = None
    general = section.choice("projector_type", "", ("gemma4v", "gemma4a", "gemma4uv", "gemma4ua"))
    if section.flag("has_vision_encoder", False):
        kind = section.choice("vision.projector_type", general, ("gemma4v", "gemma4uv"))
        vision = _read_vision(section, shapes, unified=kind == "gemma4uv")
    if section.flag("has_audio_encoder", False):
        kind = section.choice("audio.projector_type", general, ("gemma4a", "gemma4ua"))
        audio = _read_audio(section, shapes, unified=kind == "gemma4ua")
    if vision is None and audio is None:
        problems.append(
            "clip.has_vision_encoder and clip.has_audio_encoder are both false or missing"
        )
    section.close()
    raise_problems(problems, str(path))
    return vision, audio


def _read_vision(
    section: Section, shapes: Shapes, *, unified: bool
) -> VisionConfig | UnifiedVisionConfig:
    hidden_size = section.integer("vision.embedding_length")
    patch_size = section.integer("vision.patch_size", high=1024)
    pooling = section.integer("vision.projector.scale_factor", 3, high=64)
    eps = shortest(section.number("vision.attention.layer_norm_epsilon", low=0.0, high=1.0))
    # The table is [2, positions, width] in either order of the first two dimensions.
    positions = _size(section, shapes, "v.position_embd.weight") // (2 * hidden_size)
    num_heads = section.integer("vision.attention.head_count", low=0)
    intermediate_size = section.integer("vision.feed_forward_length", low=0)
    num_layers = section.integer("vision.block_count", low=0, high=1024)
    if unified:
        return UnifiedVisionConfig(
            hidden_size=hidden_size,
            position_embedding_size=positions,
            output_size=hidden_size,
            patch_size=patch_size,
            pooling_kernel_size=pooling,
            norm_eps=eps,
        )
    if not (num_heads and intermediate_size and num_layers):
        section.report("vision.block_count", "a tower has layers, heads and an MLP, none may be 0")
    head_dim = hidden_size // max(num_heads, 1)
    return VisionConfig(
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=_size(section, shapes, "v.blk.0.attn_k.weight")
        // (hidden_size * head_dim or 1),
        head_dim=head_dim,
        patch_size=patch_size,
        pooling_kernel_size=pooling,
        position_embedding_size=positions,
        norm_eps=eps,
        clips_linears="v.blk.0.attn_q.input_min" in shapes,
        standardizes="v.std_bias" in shapes,
    )


def _read_audio(
    section: Section, shapes: Shapes, *, unified: bool
) -> AudioConfig | UnifiedAudioConfig:
    hidden_size = section.integer("audio.embedding_length")
    eps = shortest(section.number("audio.attention.layer_norm_epsilon", low=0.0, high=1.0))
    num_mels = section.integer("audio.num_mel_bins", 128)
    num_heads = section.integer("audio.attention.head_count", low=0)
    num_layers = section.integer("audio.block_count", low=0, high=1024)
    width = section.integer("audio.feed_forward_length", low=0)
    if unified:
        return UnifiedAudioConfig(samples_per_token=hidden_size, norm_eps=eps)
    if num_mels != 128:
        section.report("audio.num_mel_bins", f"= {num_mels}; the front end makes 128 mel bins")
    if not num_layers or not num_heads or hidden_size % num_heads:
        section.report("audio.attention.head_count", f"= {num_heads} does not divide {hidden_size}")
    if width != 4 * hidden_size:
        section.report("audio.feed_forward_length", f"= {width}; it is 4 × {hidden_size}")
    first = _size(section, shapes, "a.conv1d.0.norm.weight")
    second = _size(section, shapes, "a.conv1d.1.norm.weight")
    return AudioConfig(
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        output_size=_size(section, shapes, "a.pre_encode.out.bias"),
        subsampling_channels=(first, second),
        conv_kernel_size=_size(section, shapes, "a.blk.0.conv_dw.weight") // hidden_size,
        norm_eps=eps,
        clips_linears="a.blk.0.attn_q.input_min" in shapes,
        num_mels=num_mels,
    )


def _size(section: Section, shapes: Shapes, name: str) -> int:
    """Number of values of a tensor; its absence is a problem of the file."""
    if name not in shapes:
        section.report(
            "", f"needs tensor {name}, whose size the metadata does not say; it is missing"
        )
        return 0
    return prod(shapes[name])
