"""One tensor of a model: what it is called everywhere, its shape, and how it may be stored."""

from dataclasses import dataclass
from enum import StrEnum


class TensorKind(StrEnum):
    """What a tensor is to the arithmetic."""

    LINEAR = "linear"
    NORM = "norm"
    EMBEDDING = "embedding"
    PER_LAYER_TABLE = "per_layer_table"
    EXPERTS = "experts"
    CONVOLUTION = "convolution"
    POSITION = "position"
    BIAS = "bias"
    SCALE = "scale"
    CLIP_BOUND = "clip_bound"
    INDEX = "index"


class Role(StrEnum):
    """Which part of the model a tensor serves; quantizers and reports group by it."""

    EMBEDDING = "embedding"
    PER_LAYER = "per_layer"
    ATTENTION = "attention"
    MLP = "mlp"
    EXPERTS = "experts"
    ROUTER = "router"
    STREAM = "stream"
    VISION = "vision"
    AUDIO = "audio"
    PROJECTOR = "projector"
    DRAFT_HEAD = "draft_head"


class Layout(StrEnum):
    """How the values in a GGUF file differ from those in the model.

    SAME             not at all.
    SCALAR           a 0-d value is stored as one of shape [1].
    IMAGE_PATCH      [D, p·p·3], columns (row, column, channel), is stored as kernels [D, 3, p, p].
    PATCH_COLUMNS    the last dimension, p·p·3 as (row, column, channel), is stored channel first.
    DEPTHWISE        [C, 1, W] is stored as [C, W].
    AXIS_FIRST       [positions, axes, D] is stored as [axes, positions, D].
    SOFTPLUS         softplus(w) is stored in place of w.
    """

    SAME = "same"
    SCALAR = "scalar"
    IMAGE_PATCH = "image_patch"
    PATCH_COLUMNS = "patch_columns"
    DEPTHWISE = "depthwise"
    AXIS_FIRST = "axis_first"
    SOFTPLUS = "softplus"


FOUR_BITS = 4
SIX_BITS = 6
EIGHT_BITS = 8
SIXTEEN_BITS = 16
FULL_PRECISION = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorEntry:
    """One tensor.

    Attributes:
        name: path of the parameter or buffer in the model.
        shape: as in the model and in a Hugging Face checkpoint.
        gguf_name: name in a GGUF file (text or mmproj); None if llama.cpp has no place for it.
        lowest_bits: fewest bits a quantizer may spend on a value; 16 and 32 mean: not quantized.
        layout: what a GGUF file stores instead of the model's values.
        file_offset: what a Hugging Face file lacks: the model's value is the stored one plus this.
        dtype: name of the torch dtype that it always has, else None: the model's dtype.
    """

    name: str
    shape: tuple[int, ...]
    kind: TensorKind
    role: Role
    gguf_name: str | None = None
    lowest_bits: int = SIXTEEN_BITS
    layout: Layout = Layout.SAME
    file_offset: float = 0.0
    dtype: str | None = None

    @property
    def num_elements(self) -> int:
        """Number of values."""
        count = 1
        for size in self.shape:
            count *= size
        return count
