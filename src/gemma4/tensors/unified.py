"""Tensors of the 12B's embedders, which have no towers (specification §3.6, §4.6)."""

from collections.abc import Iterator

from ..config import UnifiedAudioConfig, UnifiedVisionConfig
from .entry import Layout, Role, TensorEntry, TensorKind
from .tower import projector, tower_tensor


def unified_vision_entries(vision: UnifiedVisionConfig, text_width: int) -> Iterator[TensorEntry]:
    """The patch embedder and its projector; `text_width` is the decoder's hidden size."""
    width, patch = vision.hidden_size, 3 * vision.merged_patch_size**2
    path = "model.vision_embedder."
    yield tower_tensor(
        f"{path}pos_embedding",
        (vision.position_embedding_size, 2, width),
        "v.position_embd.weight",
        TensorKind.POSITION,
        Role.VISION,
        layout=Layout.AXIS_FIRST,
    )
    yield tower_tensor(
        f"{path}patch_dense.weight",
        (width, patch),
        "v.patch_embd.weight",
        TensorKind.LINEAR,
        Role.VISION,
        layout=Layout.PATCH_COLUMNS,
    )
    yield tower_tensor(
        f"{path}patch_dense.bias", (width,), "v.patch_embd.bias", TensorKind.BIAS, Role.VISION
    )
    for number, (name, size) in enumerate(
        (("patch_ln1", patch), ("patch_ln2", width), ("pos_norm", width)), start=1
    ):
        for suffix, kind in (("weight", TensorKind.NORM), ("bias", TensorKind.BIAS)):
            yield tower_tensor(
                f"{path}{name}.{suffix}",
                (size,),
                f"v.patch_norm.{number}.{suffix}",
                kind,
                Role.VISION,
                layout=Layout.PATCH_COLUMNS if number == 1 else Layout.SAME,
            )
    yield projector(
        "model.embed_vision.embedding_projection.weight",
        (text_width, vision.output_size),
        "mm.input_projection.weight",
    )


def unified_audio_entries(audio: UnifiedAudioConfig, text_width: int) -> Iterator[TensorEntry]:
    """The projector of raw samples."""
    yield projector(
        "model.embed_audio.embedding_projection.weight",
        (text_width, audio.samples_per_token),
        "mm.a.input_projection.weight",
    )
