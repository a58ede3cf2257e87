"""Fills a model on the meta device from a checkpoint, strictly and without copies where it can.

A tensor that is stored in the dtype asked for stays where it is, in the mapped file. Another is
converted on its own, and the file's pages leave memory at once, so nothing is in memory twice.
Tables of per-layer embeddings are never read whole: a token reads its rows.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..fit.tiles import TILED
from ..quant import FORMATS
from ..quant.embedding import MappedEmbedding
from ..tensors.entry import TensorEntry, TensorKind
from ..tensors.table import tensor_table
from .checkpoint import Checkpoint
from .compare import compare_modules, compare_tensors
from .derived import ConvertedTensor, JoinedTensor
from .in_place import MEDIA, keep_matrix, put_matrix
from .source import StoredTensor
from .tiled import choose_tiled, put_tiled

CHECKED_ELEMENTS = 1 << 16
"""Tensors of up to so many values (norms, scales, bounds) are searched for NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadReport:
    """What loading did.

    Attributes:
        num_tensors: loaded; equals the table's length.
        file_bytes: of these tensors in the file.
        memory_bytes: taken anew; the rest stays in the mapped file.
        num_in_place: tensors that stay in the mapped file, per-layer tables included.
        mapped_tables: paths of tables that are read row by row.
        converted: plain encoding → number of tensors brought to another dtype, device or layout.
        expanded: block encoding → number of tensors expanded to plain numbers.
        kept: encoding → number of matrices that stay in their file's blocks.
        tiled: encoding → number of matrices laid out for the GPU's kernels, their numbers unchanged.
        dead, tied: names in the file that were left out: tensors of layers that borrow their keys,
            and a head that equals the embedding.
        notes: what the user may want to know, one sentence each.
    """

    num_tensors: int
    file_bytes: int
    memory_bytes: int
    num_in_place: int
    mapped_tables: tuple[str, ...]
    converted: Mapping[str, int]
    expanded: Mapping[str, int]
    kept: Mapping[str, int]
    tiled: Mapping[str, int]
    dead: tuple[str, ...]
    tied: tuple[str, ...]
    dtype: torch.dtype
    device: torch.device
    notes: tuple[str, ...]


def load_weights(
    model: nn.Module,
    checkpoint: Checkpoint,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    keep_blocks: bool = False,
    keep_media: tuple[str, ...] = (),
    tile: bool = False,
) -> LoadReport:
    """Give every parameter and buffer of `model` its value; none of it needs gradients afterwards.

    Args:
        model: built from `checkpoint.config`, usually on the meta device.
        keep_blocks: leave the decoder's matrices in the file's own blocks, for the native kernels.
        keep_media: paths of parts for media, `model.vision_tower.` say, that stay too; tables in their dtype.
        tile: lay its 4-bit and 8-bit matrices out for the GPU's kernels.
        dtype: of weights; norms that Gemma 3 stores less one stay float32, indices stay integers.

    Raises:
        CheckpointError: one message with every tensor that is missing, unexpected or of another
            shape; or a small tensor holds NaN. The model is unchanged in the first case.
    """
    device = torch.device(device)
    entries = tensor_table(checkpoint.config)
    compare_modules(model, entries, checkpoint.path)
    ignored = compare_tensors(checkpoint.source, entries, checkpoint.config)
    tally = _Tally()
    tileable = choose_tiled(entries, checkpoint.source.tensors) if tile else frozenset()
    for entry in entries:
        stored = checkpoint.source.tensors[entry.name]
        tally.file_bytes += stored.nbytes
        if entry.kind is TensorKind.PER_LAYER_TABLE:
            _put_table(model, entry, stored, dtype)
            tally.tables.append(entry.name)
        elif entry.name in tileable:
            tally.memory_bytes += put_tiled(model, entry, stored, device=device, dtype=dtype)
            tally.tiled[stored.encoding] += 1
        elif not (
            _stays(entry, keep_blocks, keep_media) and _keep(model, entry, stored, dtype, tally)
        ):
            _read(model, entry, stored, _wanted(entry, dtype, keep_media), device, tally)
    parts = (tally.converted, tally.expanded, tally.joined, tally.tiled)
    copied = sum(part.total() for part in parts)
    return LoadReport(
        num_tensors=len(entries),
        file_bytes=tally.file_bytes,
        memory_bytes=tally.memory_bytes,
        num_in_place=len(entries) - copied,
        mapped_tables=tuple(tally.tables),
        converted=dict(tally.converted),
        expanded=dict(tally.expanded),
        kept=dict(tally.kept),
        tiled=dict(tally.tiled),
        dead=ignored.dead,
        tied=ignored.tied,
        dtype=dtype,
        device=device,
        notes=_notes(tally, dtype, len(ignored.dead), tile=tile),
    )


@dataclass(slots=True)
class _Tally:
    """What became of the tensors so far.

    Attributes:
        reasons: encoding, with the phrase why → number of tensors expanded.
        joined: encoding → number of tensors whose parts were put together in memory as they are.
    """

    file_bytes: int = 0
    memory_bytes: int = 0
    tables: list[str] = field(default_factory=list)
    converted: Counter[str] = field(default_factory=Counter)
    expanded: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    tiled: Counter[str] = field(default_factory=Counter)
    joined: Counter[str] = field(default_factory=Counter)


def _stays(entry: TensorEntry, keep_blocks: bool, keep_media: tuple[str, ...]) -> bool:
    """True if the kernels are to read this tensor where it lies, if it is a matrix."""
    return entry.name.startswith(keep_media) if entry.role in MEDIA else keep_blocks


def _wanted(
    entry: TensorEntry, dtype: torch.dtype, keep_media: tuple[str, ...]
) -> torch.dtype | None:
    """The dtype to read a tensor in that does not stay as it is; None is the file's."""
    large = entry.kind in (TensorKind.LINEAR, TensorKind.POSITION)
    return None if large and entry.name.startswith(keep_media) else dtype


def _keep(
    model: nn.Module, entry: TensorEntry, stored: StoredTensor, dtype: torch.dtype, tally: _Tally
) -> bool:
    """Leave a matrix as it lies in the file; False if it must be read."""
    kept = keep_matrix(stored, entry)
    if isinstance(kept, str):
        if kept:
            tally.reasons[f"{stored.encoding} {kept}"] += 1
        return False
    put_matrix(model, entry, kept.matrix, dtype)
    tally.kept[stored.encoding] += 1
    tally.memory_bytes += kept.memory_bytes
    if isinstance(stored, JoinedTensor):
        tally.joined[stored.encoding] += 1
    return True


def _read(
    model: nn.Module,
    entry: TensorEntry,
    stored: StoredTensor,
    dtype: torch.dtype | None,
    device: torch.device,
    tally: _Tally,
) -> None:
    """Read a tensor in the dtype given, or in its own."""
    wanted = getattr(torch, entry.dtype) if entry.dtype else dtype
    tensor = stored.read(wanted).to(device)
    _refuse_nan(tensor, stored)
    _put(model, entry.name, tensor)
    if not stays_in_place(stored, tensor.dtype, device):
        tally.memory_bytes += tensor.nbytes
        (tally.converted if is_plain(stored) else tally.expanded)[stored.encoding] += 1


def is_plain(stored: StoredTensor) -> bool:
    """True if the values are stored as ordinary numbers, not in blocks with scales."""
    return all(
        name in FORMATS and FORMATS[name].dtype is not None for name in stored.encoding.split("+")
    )


def stays_in_place(stored: StoredTensor, dtype: torch.dtype, device: torch.device) -> bool:
    """True if reading the tensor gives a view of the mapped file."""
    if isinstance(stored, ConvertedTensor | JoinedTensor) or not is_plain(stored):
        return False
    return device.type == "cpu" and FORMATS[stored.encoding].dtype is dtype


def _put(model: nn.Module, path: str, tensor: Tensor) -> None:
    """Replace a parameter or buffer."""
    owner, _, name = path.rpartition(".")
    module = model.get_submodule(owner)
    if isinstance(getattr(module, name), nn.Parameter):
        setattr(module, name, nn.Parameter(tensor, requires_grad=False))
    else:
        setattr(module, name, tensor)


def _put_table(
    model: nn.Module, entry: TensorEntry, stored: StoredTensor, dtype: torch.dtype
) -> None:
    """Put an embedding that reads rows from the file in the place of one held in memory."""
    embedding_path = entry.name.removesuffix(".weight")
    owner, _, name = embedding_path.rpartition(".")
    setattr(model.get_submodule(owner), name, MappedEmbedding(stored, dtype))


def _refuse_nan(tensor: Tensor, stored: StoredTensor) -> None:
    small = tensor.numel() <= CHECKED_ELEMENTS and tensor.is_floating_point()
    if small and bool(tensor.isnan().any()):
        raise CheckpointError(
            f"tensor {stored.name} holds NaN among its {tensor.numel()} values; "
            "the checkpoint is damaged, fetch it again"
        )


def _notes(tally: _Tally, dtype: torch.dtype, num_dead: int, *, tile: bool) -> tuple[str, ...]:
    notes = []
    if tally.tiled:
        notes.append(f"quantized matrices are on the GPU as they are: {_listed(tally.tiled)}")
    if tally.expanded:
        name = str(dtype).removeprefix("torch.")
        why = f"; GPU kernels read {TILED}, one format in a product" if tile else ""
        notes.append(f"quantized tensors were expanded to {name}: {_listed(tally.expanded)}{why}")
    if tally.reasons:
        notes.append(f"the native kernels do not take {_listed(tally.reasons)}")
    if tally.joined:
        notes.append(
            "experts that are stored one by one were put together in memory as they are: "
            f"{_listed(tally.joined)}"
        )
    if num_dead:
        notes.append(f"{num_dead} tensors of layers that borrow keys and values were left out")
    return tuple(notes)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in sorted(counts.items()))
