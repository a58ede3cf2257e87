"""Entries that both towers have, kept at 16 bits or more: clipped linear layers and norms."""

from collections.abc import Iterator

from .entry import SIXTEEN_BITS, Layout, Role, TensorEntry, TensorKind

CLIP_BOUNDS = ("input_min", "input_max", "output_min", "output_max")
"""Buffers of a linear layer that clamps what goes in and what comes out."""


def tower_linear(
    path: str, shape: tuple[int, int], gguf_stem: str, role: Role, *, clips: bool
) -> Iterator[TensorEntry]:
    """A linear layer [out, in] at `path.linear.weight`, with its four clip bounds if it has any."""
    if clips:
        for bound in CLIP_BOUNDS:
            yield TensorEntry(
                name=f"{path}.{bound}",
                shape=(),
                gguf_name=f"{gguf_stem}.{bound}",
                kind=TensorKind.CLIP_BOUND,
                role=role,
                layout=Layout.SCALAR,
            )
    yield tower_tensor(
        f"{path}.linear.weight", shape, f"{gguf_stem}.weight", TensorKind.LINEAR, role
    )


def tower_tensor(
    name: str,
    shape: tuple[int, ...],
    gguf_name: str,
    kind: TensorKind,
    role: Role,
    *,
    layout: Layout = Layout.SAME,
) -> TensorEntry:
    """Any other tensor of a tower; a tower is never quantized below 16 bits."""
    return TensorEntry(
        name=name,
        shape=shape,
        gguf_name=gguf_name,
        kind=kind,
        role=role,
        layout=layout,
        lowest_bits=SIXTEEN_BITS,
    )


def projector(name: str, shape: tuple[int, int], gguf_name: str) -> TensorEntry:
    """The matrix [out, in] that brings soft tokens to the decoder's width."""
    return tower_tensor(name, shape, gguf_name, TensorKind.LINEAR, Role.PROJECTOR)
