"""A decoder's weights for the GPU's pass: matrices of one product stacked, and the modules left with views.

So no matrix is in memory twice but those of the layer at hand, and the readable model still works.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from ...kernels.cuda.decoder_weights import (
    DecoderWeights,
    LayerWeights,
    decoder_weights,
    layer_weights,
    product_parts,
)
from ...kernels.cuda.modules import TiledLinear, TiledStack
from ...kernels.cuda.packed import PackedMatrix, Weight, row_slice
from ..decoder import Decoder


@dataclass(frozen=True, slots=True)
class ModuleWeights:
    """A decoder's tensors by module path, looked up when asked for and kept by nobody."""

    decoder: Decoder

    def __getitem__(self, name: str, /) -> Weight:
        """The tensor of this path."""
        owner, _, leaf = name.rpartition(".")
        module = self.decoder.get_submodule(owner)
        if isinstance(module, TiledLinear):
            return module.matrix
        found = getattr(module, leaf)
        if isinstance(found, TiledStack):
            return found.matrix
        assert isinstance(found, Tensor), f"{name} is {type(found).__name__}; kernels read tensors"
        return found.detach()


def stack_weights(decoder: Decoder) -> DecoderWeights:
    """Take the weights out of a decoder's modules, which afterwards hold views of what comes back.

    Raises:
        CheckpointError: matrices of one product in formats that cannot be stacked.
    """
    named = ModuleWeights(decoder)
    layers = []
    for spec in decoder.specs:
        layer = layer_weights(decoder.config, spec, named)
        for field, names in product_parts(spec).items():
            if len(names) > 1:
                _leave_views(decoder.layers[spec.index], names, _stack_of(layer, field))
        layers.append(layer)
    return decoder_weights(decoder.config, named, layers)


def _stack_of(layer: LayerWeights, field: str) -> Weight:
    return layer.qkv if field == "qkv" else layer.gate_up


def _leave_views(layer: nn.Module, names: tuple[str, ...], stacked: Weight) -> None:
    """Put the rows of a stacked matrix in the places that it was made of."""
    first = 0
    for name in names:
        owner, _, leaf = name.removesuffix(".weight").rpartition(".")
        module = layer.get_submodule(owner)
        linear = getattr(module, leaf)
        if isinstance(stacked, PackedMatrix):
            rows = linear.matrix.rows
            setattr(module, leaf, TiledLinear(row_slice(stacked, first, rows)))
        else:
            rows = linear.weight.shape[0]
            part = stacked[first : first + rows]
            linear.weight = nn.Parameter(part, requires_grad=False)
        first += rows
