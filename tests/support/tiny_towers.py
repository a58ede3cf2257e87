"""Our towers with the tiny models' weights, and how close two results are."""

import torch
from tiny_models import build

from gemma4.config import AudioConfig, UnifiedVisionConfig, VisionConfig
from gemma4.media.types import AudioInput, ImageInput
from gemma4.model.audio import AudioTower
from gemma4.model.projector import Projector
from gemma4.model.unified import UnifiedVisionEmbedder
from gemma4.model.vision import VisionTower


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over largest value; the shapes must agree."""
    assert found.shape == expected.shape
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())


def as_tensors(medium: ImageInput | AudioInput) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches and positions of an image, or features and mask of a sound."""
    if isinstance(medium, ImageInput):
        return torch.from_numpy(medium.patches), torch.from_numpy(medium.positions)
    return torch.from_numpy(medium.features), torch.from_numpy(medium.mask)


def vision_tower(kind: str) -> VisionTower:
    """The vision tower of `e_series`, `moe` or `dense31`."""
    reference = build(kind)
    return _load(VisionTower(vision_config(reference.config.vision_config)), kind, "vision_tower")


def audio_tower(kind: str) -> AudioTower:
    """The audio tower of `e_series`."""
    return _load(AudioTower(audio_config(build(kind).config.audio_config)), kind, "audio_tower")


def unified_embedder(kind: str) -> UnifiedVisionEmbedder:
    """The 12B-like vision embedder. In memory transformers keeps it under another name."""
    config = build(kind).config.vision_config
    embedder = UnifiedVisionEmbedder(
        UnifiedVisionConfig(
            hidden_size=config.mm_embed_dim,
            position_embedding_size=config.mm_posemb_size,
            output_size=config.output_proj_dims,
        )
    )
    return _load(embedder, kind, "embed_vision", leave_out="multimodal_embedder.")


def projector(kind: str, name: str) -> Projector:
    """`embed_vision` or `embed_audio`."""
    unified_eyes = kind == "unified" and name == "embed_vision"
    path = f"{name}.multimodal_embedder" if unified_eyes else name
    weight = build(kind).state_dict()[f"model.{path}.embedding_projection.weight"]
    return _load(Projector(weight.shape[1], weight.shape[0], 1e-6), kind, path)


def vision_config(config) -> VisionConfig:
    """Ours from transformers'."""
    return VisionConfig(
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_layers=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        num_kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        position_embedding_size=config.position_embedding_size,
        clips_linears=config.use_clipped_linears,
        standardizes=config.standardize,
    )


def audio_config(config) -> AudioConfig:
    """Ours from transformers'."""
    return AudioConfig(
        hidden_size=config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        output_size=config.output_proj_dims,
        clips_linears=config.use_clipped_linears,
    )


def _load(module, kind: str, path: str, leave_out: str = "\0"):
    prefix = f"model.{path}."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in build(kind).state_dict().items()
        if name.startswith(prefix) and not name.startswith(prefix + leave_out)
    }
    module.load_state_dict(state, strict=True)
    return module.eval().requires_grad_(False)
