"""What `--to` can name, and which format each tensor gets. Data first, the rules that read it below.

The mixtures are llama.cpp's: some values and down projections get more bits than the other matrices.
Where the tensor table asks for more (embedding, per-layer tables, router, towers, norms), it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ...config import LayerKind, TextConfig
from ...errors import InputError
from ...quant import FORMATS, TensorFormat
from ...tensors.entry import (
    EIGHT_BITS,
    FULL_PRECISION,
    SIX_BITS,
    Layout,
    Role,
    TensorEntry,
    TensorKind,
)

W4A16: Final = "W4A16"
"""Four bits in groups of 32, as compressed-tensors packs them; safetensors only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Richer:
    """Layers whose values and down projections get a better format.

    Attributes:
        values, down: format in the chosen layers; None: that of all matrices.
        values_first: layers from the front, for values; None: spread as `spread` says.
        down_first: divisor of the number of layers, from the front; None: spread.
    """

    values: str | None
    down: str | None
    values_first: int | None = None
    down_first: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One encoding of a whole model.

    Attributes:
        name: as the command line spells it.
        matrix: format of matrices, from `FORMATS`, or `W4A16`.
        file_type: `general.file_type` of a GGUF file; None: no GGUF.
        richer: what is better than the rest.
    """

    name: str
    matrix: str
    file_type: int | None
    richer: Richer | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is quantized."""
        return self.matrix in ("F32", "F16", "BF16")


_MEDIUM_4 = Richer(values="Q6_K", down="Q6_K")
_SMALL_4 = Richer(values="Q5_K", down="Q5_K", values_first=4, down_first=8)

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(name="f32", matrix="F32", file_type=0),
            Recipe(name="f16", matrix="F16", file_type=1),
            Recipe(name="bf16", matrix="BF16", file_type=32),
            Recipe(name="q8_0", matrix="Q8_0", file_type=7),
            Recipe(name="q6_k", matrix="Q6_K", file_type=18),
            Recipe(name="q5_k_m", matrix="Q5_K", file_type=17, richer=_MEDIUM_4),
            Recipe(name="q5_k_s", matrix="Q5_K", file_type=16),
            Recipe(name="q5_1", matrix="Q5_1", file_type=9),
            Recipe(name="q5_0", matrix="Q5_0", file_type=8),
            Recipe(name="q4_k_m", matrix="Q4_K", file_type=15, richer=_MEDIUM_4),
            Recipe(name="q4_k_s", matrix="Q4_K", file_type=14, richer=_SMALL_4),
            Recipe(name="q4_1", matrix="Q4_1", file_type=3),
            Recipe(name="q4_0", matrix="Q4_0", file_type=2),
            Recipe(name="w4a16", matrix=W4A16, file_type=None),
        )
    }
)
"""By name, from large to small."""

FALLBACKS: Final[Mapping[str, str]] = MappingProxyType(
    {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
)
"""Format of 256 weights a block → the format of 32 for rows that are no multiple of 256."""

_LAST_RESORT: Final = "BF16"  # rows that are no multiple of 32 either
_VALUES, _KEYS, _DOWN = "attn_v.", "attn_k.", ("ffn_down.", "ffn_down_exps.")
_MATRICES: Final = (TensorKind.LINEAR, TensorKind.EXPERTS)
_MEDIA: Final = (Role.VISION, Role.AUDIO, Role.PROJECTOR)


def find_recipe(name: str) -> Recipe:
    """Look up a recipe; case does not matter, and fp32, fp16 are other names of f32, f16.

    Raises:
        InputError: the name is unknown.
    """
    plain = name.strip().lower().replace("-", "_")
    plain = {"fp32": "f32", "fp16": "f16"}.get(plain, plain)
    if plain not in RECIPES:
        raise InputError(f"format {name!r} is unknown; known: {', '.join(RECIPES)}")
    return RECIPES[plain]


def wanted_format(entry: TensorEntry, recipe: Recipe, text: TextConfig) -> str:
    """Format that a GGUF file gives to a tensor, whatever its rows are.

    Vectors are float32, as llama.cpp wants them; so are router, kernels and position tables.
    """
    if entry.kind is TensorKind.INDEX:
        return "I64"
    if recipe.matrix == "F32" or len(entry.shape) < 2 or _stays_exact(entry):
        return "F32"
    if recipe.is_plain:
        return recipe.matrix
    if entry.role in _MEDIA:
        return "BF16"
    if entry.lowest_bits >= EIGHT_BITS or (
        entry.lowest_bits >= SIX_BITS and recipe.matrix == "Q8_0"
    ):
        return "Q8_0"
    if entry.lowest_bits >= SIX_BITS:
        return "Q6_K"
    return _mixed(entry, recipe, text)


def fitting_format(wanted: str, columns: int) -> TensorFormat:
    """The wanted format, or the next that takes rows of so many weights."""
    format = FORMATS[wanted]
    if columns % format.block_size and wanted in FALLBACKS:
        format = FORMATS[FALLBACKS[wanted]]
    return FORMATS[_LAST_RESORT] if columns % format.block_size else format


def spread(index: int, count: int) -> bool:
    """Which of `count` layers get more bits: the first and last eighth, and every third between."""
    eighth = count // 8
    return index < eighth or index >= 7 * count // 8 or (index - eighth) % 3 == 2


def packs_w4a16(entry: TensorEntry) -> bool:
    """Whether a matrix may be packed to four bits."""
    return entry.kind in _MATRICES and entry.lowest_bits < SIX_BITS


def _stays_exact(entry: TensorEntry) -> bool:
    return (
        entry.lowest_bits >= FULL_PRECISION
        or entry.role is Role.ROUTER
        or entry.kind in (TensorKind.CONVOLUTION, TensorKind.POSITION)
        or entry.layout in (Layout.IMAGE_PATCH, Layout.PATCH_COLUMNS)
    )


def _mixed(entry: TensorEntry, recipe: Recipe, text: TextConfig) -> str:
    """Format of a matrix of the decoder under a recipe with richer layers."""
    name, richer = entry.gguf_name or "", recipe.richer
    if richer is None or not name.startswith("blk."):
        return recipe.matrix
    index, part = int(name.split(".")[1]), name.split(".", 2)[2]
    count = text.num_layers
    # Where the keys are the values, they are worth as much.
    values = part.startswith(_VALUES) or (
        part.startswith(_KEYS)
        and text.keys_are_values
        and text.layer_kinds[index] is LayerKind.FULL
    )
    if values and richer.values is not None:
        chosen = (
            spread(index, count) if richer.values_first is None else index < richer.values_first
        )
        return richer.values if chosen else recipe.matrix
    if part.startswith(_DOWN) and richer.down is not None:
        first = richer.down_first
        chosen = spread(index, count) if first is None else index < count // first
        return richer.down if chosen else recipe.matrix
    return recipe.matrix
