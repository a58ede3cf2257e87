"""Bytes of the weights: in the file, in memory, and in the table that stays on disk.

What the loader does with a tensor decides where its bytes lie:

    read by the native kernels as it is  stays in the mapped file; see `native`
    stored in the dtype of computation   stays in the mapped file; its pages are resident once read
    stored otherwise                     a new tensor in that dtype; the file's pages go at once
    table of per-layer embeddings        stays on disk, whatever its encoding; a token reads its row

On a GPU with kernels the matrices of the layers stay quantized, in tiles (see `tiles`); all else is a new
tensor in the dtype of computation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ..config import DrafterConfig, ModelConfig
from ..errors import ConfigError
from ..tensors.entry import TensorEntry
from ..tensors.table import tensor_table
from .counts import MEDIA_ROLES, Role, role_of
from .native import copied_when_packed
from .precision import DTYPES, Quantization, encoded_bytes
from .tiles import published_tiles


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsEstimate:
    """Bytes of a model's weights.

    Attributes:
        file_bytes: of all tensors in the file: what a download takes.
        text_bytes: resident, of the decoder.
        media_bytes: resident, of towers, embedders and projectors.
        disk_bytes: of the per-layer table, which is only looked up, row by row.
        text_copied_bytes, media_copied_bytes: of these, what is new tensors; the rest is the mapped file's.
    """

    file_bytes: int
    text_bytes: int
    media_bytes: int
    disk_bytes: int
    text_copied_bytes: int
    media_copied_bytes: int

    @property
    def copied_bytes(self) -> int:
        """All that is new tensors."""
        return self.text_copied_bytes + self.media_copied_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWeights:
    """A tensor of a checkpoint at hand.

    Attributes:
        name: its module path.
        packed_copy_bytes: that native kernels take anew to read it as it is stored, usually 0; None: they do
            not read it so.
        tiled_bytes: that it takes as it is quantized beside a GPU's kernels; None: they do not read it so.
    """

    name: str
    encoding: str
    num_elements: int
    nbytes: int
    packed_copy_bytes: int | None = None
    tiled_bytes: int | None = None


_MEDIA_PREFIXES = (
    "model.vision_tower.",
    "model.vision_embedder.",
    "model.embed_vision.",
    "model.audio_tower.",
    "model.embed_audio.",
)
TABLE = "embed_tokens_per_layer.weight"
"""How the name of the per-layer table ends."""


def estimate_weights(
    config: ModelConfig | DrafterConfig,
    quantization: Quantization,
    run_dtype: str,
    *,
    native: bool = False,
    tiled: bool = False,
) -> WeightsEstimate:
    """Weights of a model that is not here, from its configuration.

    Args:
        native: the native kernels compute; what they do not read as it is stored gets `run_dtype`.
        tiled: a GPU's kernels compute; what they do not read as it is quantized gets `run_dtype`.

    Raises:
        ConfigError: the dtype is none to compute in.
    """
    entries = tensor_table(config)
    tiles = published_tiles(entries, quantization.encodings)
    placed = (_place(entry, quantization, tiles.get(entry.name)) for entry in entries)
    return _total(placed, run_dtype, native=native, tiled=tiled)


def estimate_stored_weights(
    tensors: Iterable[StoredWeights],
    run_dtype: str,
    *,
    native: bool = False,
    tiled: bool = False,
) -> WeightsEstimate:
    """Weights of a checkpoint at hand, in the encodings that its file has; see `estimate_weights`.

    Raises:
        ConfigError: the dtype is none to compute in.
    """
    placed = ((_role_of(tensor.name), tensor) for tensor in tensors)
    return _total(placed, run_dtype, native=native, tiled=tiled)


def dtype_bytes(dtype: str) -> int:
    """Bytes of a number in a dtype of computation.

    Raises:
        ConfigError: it is none.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; known: {', '.join(DTYPES)}")
    return encoded_bytes(DTYPES[dtype], (1,))


def _place(
    entry: TensorEntry, quantization: Quantization, tiled_bytes: int | None
) -> tuple[Role, StoredWeights]:
    role = role_of(entry)
    encoding = quantization.encodings[role]
    nbytes = encoded_bytes(encoding, entry.shape)
    stored = StoredWeights(
        name=entry.name,
        encoding=encoding,
        num_elements=entry.num_elements,
        nbytes=nbytes,
        packed_copy_bytes=copied_when_packed(role, encoding, nbytes),
        tiled_bytes=tiled_bytes,
    )
    return role, stored


def _role_of(name: str) -> Role:
    if name.startswith(_MEDIA_PREFIXES):
        return Role.VISION if "vision" in name else Role.AUDIO
    return Role.PER_LAYER_TABLE if name.endswith(TABLE) else Role.LINEAR


def _total(
    tensors: Iterable[tuple[Role, StoredWeights]], run_dtype: str, *, native: bool, tiled: bool
) -> WeightsEstimate:
    number_bytes, in_place = dtype_bytes(run_dtype), (DTYPES[run_dtype], "I64")
    totals = dict.fromkeys(("file", "text", "media", "disk", "text_copied", "media_copied"), 0)
    for role, tensor in tensors:
        totals["file"] += tensor.nbytes
        if role is Role.PER_LAYER_TABLE:
            totals["disk"] += tensor.nbytes
            continue
        part = "media" if role in MEDIA_ROLES else "text"
        if native and tensor.packed_copy_bytes is not None:
            totals[part] += tensor.packed_copy_bytes or tensor.nbytes
            totals[f"{part}_copied"] += tensor.packed_copy_bytes
        elif tiled and tensor.tiled_bytes is not None:
            totals[part] += tensor.tiled_bytes
            totals[f"{part}_copied"] += tensor.tiled_bytes
        elif tensor.encoding in in_place:
            totals[part] += tensor.nbytes
        else:
            totals[part] += tensor.num_elements * number_bytes
            totals[f"{part}_copied"] += tensor.num_elements * number_bytes
    return WeightsEstimate(**{f"{key}_bytes": value for key, value in totals.items()})
