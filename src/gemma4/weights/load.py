"""Fills a model on the meta device from a checkpoint, strictly and without copies where it can.

A tensor that is stored in the dtype asked for stays where it is, in the mapped file. Another is
converted on its own, and the file's pages leave memory at once, so nothing is in memory twice.
Tables of per-layer embeddings are never read whole: a token reads its rows.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..quant import FORMATS
from ..quant.embedding import MappedEmbedding
from ..tensors.entry import TensorEntry, TensorKind
from ..tensors.table import tensor_table
from .checkpoint import Checkpoint
from .compare import compare_modules, compare_tensors
from .derived import ConvertedTensor, JoinedTensor
from .source import StoredTensor

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
) -> LoadReport:
    """Give every parameter and buffer of `model` its value; none of it needs gradients afterwards.

    Args:
        model: built from `checkpoint.config`, usually on the meta device.
        dtype: of weights; norms that Gemma 3 stores less one stay float32, indices stay integers.

    Raises:
        CheckpointError: one message with every tensor that is missing, unexpected or of another
            shape; or a small tensor holds NaN. The model is unchanged in the first case.
    """
    device = torch.device(device)
    entries = tensor_table(checkpoint.config)
    compare_modules(model, entries, checkpoint.path)
    ignored = compare_tensors(checkpoint.source, entries, checkpoint.config)
    converted: Counter[str] = Counter()
    expanded: Counter[str] = Counter()
    tables: list[str] = []
    file_bytes = memory_bytes = 0
    for entry in entries:
        stored = checkpoint.source.tensors[entry.name]
        file_bytes += stored.nbytes
        if entry.kind is TensorKind.PER_LAYER_TABLE:
            _put_table(model, entry, stored, dtype)
            tables.append(entry.name)
            continue
        wanted = getattr(torch, entry.dtype) if entry.dtype else dtype
        tensor = stored.read(wanted).to(device)
        _refuse_nan(tensor, stored)
        _put(model, entry.name, tensor)
        if stays_in_place(stored, wanted, device):
            continue
        memory_bytes += tensor.nbytes
        (converted if is_plain(stored) else expanded)[stored.encoding] += 1
    return LoadReport(
        num_tensors=len(entries),
        file_bytes=file_bytes,
        memory_bytes=memory_bytes,
        num_in_place=len(entries) - converted.total() - expanded.total(),
        mapped_tables=tuple(tables),
        converted=dict(converted),
        expanded=dict(expanded),
        dead=ignored.dead,
        tied=ignored.tied,
        dtype=dtype,
        device=device,
        notes=_notes(expanded, dtype, len(ignored.dead)),
    )


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


def _notes(expanded: Counter[str], dtype: torch.dtype, num_dead: int) -> tuple[str, ...]:
    notes = []
    if expanded:
        kinds = ", ".join(f"{count} × {encoding}" for encoding, count in sorted(expanded.items()))
        name = str(dtype).removeprefix("torch.")
        notes.append(f"quantized tensors were expanded to {name}: {kinds}")
    if num_dead:
        notes.append(f"{num_dead} tensors of layers that borrow keys and values were left out")
    return tuple(notes)
