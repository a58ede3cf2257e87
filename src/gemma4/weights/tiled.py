"""Matrices that go to a GPU as they are quantized: which may, and how the model takes them.

Letters: E experts, R rows, C columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..fit.tiles import TILED_FORMATS, may_be_tiled, tiled_bytes, whole_products
from ..kernels.cuda.modules import TiledLinear, TiledStack
from ..kernels.cuda.packed import (
    PackedMatrix,
    obstacle_to_packing,
    pack_q4_0,
    pack_q8_0,
    pack_w4a16,
)
from ..quant import PackedWeight
from ..tensors.entry import TensorEntry, TensorKind
from .derived import JoinedTensor, Place
from .huggingface.packed_tensor import PackedTensor
from .mapped_file import drop_pages, expect_whole_read
from .mapped_tensor import MappedTensor
from .source import StoredTensor


@dataclass(frozen=True, slots=True)
class _Form:
    """What matrices of one product must have in common; `group`: columns with one scale."""

    encoding: str
    group: int
    scales: torch.dtype


def choose_tiled(
    entries: Sequence[TensorEntry], tensors: Mapping[str, StoredTensor]
) -> frozenset[str]:
    """Names of the matrices that the GPU's kernels read as they are quantized.

    All matrices of one product have one format, or none is among them.
    """
    return whole_products(_forms(entries, tensors))


def tiled_sizes(
    entries: Sequence[TensorEntry], tensors: Mapping[str, StoredTensor]
) -> dict[str, int]:
    """`put_tiled` foretold from headers: the names that `choose_tiled` gives, and the bytes each takes."""
    forms = _forms(entries, tensors)
    chosen = whole_products(forms)
    sizes = {}
    for entry in entries:
        form = forms[entry.name]
        if form is not None and entry.name in chosen:
            bits, _ = TILED_FORMATS[form.encoding]
            sizes[entry.name] = tiled_bytes(entry.shape, bits=bits, group=form.group)
    return sizes


def put_tiled(
    model: nn.Module,
    entry: TensorEntry,
    stored: StoredTensor,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> int:
    """Lay a matrix that `choose_tiled` named out on a device, in its module's place: the bytes it takes."""
    matrices = entry.shape[0] if entry.kind is TensorKind.EXPERTS else 1
    matrix = _pack(stored, matrices, device)
    if entry.kind is TensorKind.EXPERTS:
        owner, _, name = entry.name.rpartition(".")
        module = model.get_submodule(owner)
        delattr(module, name)  # a parameter gives way to a plain attribute
        setattr(module, name, TiledStack(matrix, dtype))
    else:
        owner, _, name = entry.name.removesuffix(".weight").rpartition(".")
        setattr(model.get_submodule(owner), name, TiledLinear(matrix))
    return matrix.num_bytes


def _forms(
    entries: Sequence[TensorEntry], tensors: Mapping[str, StoredTensor]
) -> dict[str, _Form | None]:
    return {entry.name: _form(tensors[entry.name], entry) for entry in entries}


def _form(stored: StoredTensor, entry: TensorEntry) -> _Form | None:
    """The format a matrix would be tiled in; None if the kernels cannot read it, or no kernel would."""
    if not may_be_tiled(entry):
        return None
    found = {_part_form(part) for _, part in _parts(stored)}
    return found.pop() if len(found) == 1 else None


def _part_form(part: StoredTensor) -> _Form | None:
    if isinstance(part, MappedTensor) and part.encoding in ("Q4_0", "Q8_0"):
        return _Form(part.encoding, TILED_FORMATS[part.encoding][1], torch.float16)
    if isinstance(part, PackedTensor) and obstacle_to_packing(part.weight) is None:
        group = part.weight.columns // part.weight.scale.shape[1]
        return _Form("W4A16", group, part.weight.scale.dtype)
    return None


def _parts(stored: StoredTensor) -> Sequence[tuple[Place, StoredTensor]]:
    """Where each stored part goes in the whole."""
    return stored.parts if isinstance(stored, JoinedTensor) else [((), stored)]


def _pack(stored: StoredTensor, matrices: int, device: torch.device) -> PackedMatrix:
    """Its integers and scales in the kernels' order; packed on the device, which is quicker at it."""
    parts = _parts(stored)
    if isinstance(parts[0][1], PackedTensor):
        words = _whole(stored, [(place, _packed(part).packed) for place, part in parts], device)
        scales = _whole(stored, [(place, _packed(part).scale) for place, part in parts], device)
        weight = PackedWeight(columns=stored.shape[-1], packed=words, scale=scales)
        _let_go(stored)
        return pack_w4a16(weight, matrices=matrices)
    raw = _whole(stored, [(place, _raw(part)) for place, part in parts], device)
    _let_go(stored)
    pack = pack_q4_0 if parts[0][1].encoding == "Q4_0" else pack_q8_0
    return pack(raw, matrices=matrices)


def _whole(
    stored: StoredTensor, parts: Sequence[tuple[Place, Tensor]], device: torch.device
) -> Tensor:
    """Rows of parts [rows, n] as rows of the whole [E · R, n], on the device."""
    if len(parts) == 1:
        return parts[0][1].to(device)
    width = parts[0][1].shape[-1]
    whole = torch.empty((*stored.shape[:-1], width), dtype=parts[0][1].dtype, device=device)
    for place, rows in parts:
        whole[place] = rows.to(device).view(whole[place].shape)
    return whole.view(-1, width)


def _packed(part: StoredTensor) -> PackedWeight:
    assert isinstance(part, PackedTensor)
    return part.weight


def _raw(part: StoredTensor) -> Tensor:
    assert isinstance(part, MappedTensor)
    expect_whole_read(part.data)
    return torch.from_numpy(part.raw)


def _let_go(stored: StoredTensor) -> None:
    """The file's pages leave memory; nobody has a view of quantized bytes."""
    for _, part in _parts(stored):
        if isinstance(part, PackedTensor):
            part.let_go()
        elif isinstance(part, MappedTensor):
            drop_pages(part.data)
