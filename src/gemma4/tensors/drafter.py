"""Tensors of a drafter beside its four decoder layers (specification §7)."""

from collections.abc import Iterator

from ..config import DrafterConfig
from .entry import EIGHT_BITS, Role, TensorEntry, TensorKind
from .text import linear, text_entries


def drafter_entries(drafter: DrafterConfig) -> Iterator[TensorEntry]:
    """Every tensor of a drafter."""
    width, backbone = drafter.text.hidden_size, drafter.backbone_hidden_size
    yield linear(
        "pre_projection.weight",
        (width, 2 * backbone),
        "nextn.pre_projection.weight",
        Role.DRAFT_HEAD,
        lowest_bits=EIGHT_BITS,
    )
    yield linear(
        "post_projection.weight",
        (backbone, width),
        "nextn.post_projection.weight",
        Role.DRAFT_HEAD,
        lowest_bits=EIGHT_BITS,
    )
    yield from text_entries(drafter.text, "model.")
    if drafter.num_centroids:
        yield linear(
            "masked_embedding.centroids.weight",
            (drafter.num_centroids, width),
            "masked_embd_centroids.weight",
            Role.DRAFT_HEAD,
            lowest_bits=EIGHT_BITS,
        )
        yield TensorEntry(
            name="masked_embedding.token_ordering",
            shape=(drafter.text.vocab_size,),
            gguf_name="masked_embd_ordering",
            kind=TensorKind.INDEX,
            role=Role.DRAFT_HEAD,
            dtype="int64",
        )
