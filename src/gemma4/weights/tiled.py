"""Matrices that go to a GPU as they are quantized: which may, and how the model takes them.

Letters: E experts, R rows, C columns.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from ..kernels.cuda.modules import TiledLinear, TiledStack
from ..kernels.cuda.packed import (
    TILE_ROWS,
    PackedMatrix,
    obstacle_to_packing,
    pack_q4_0,
    pack_q8_0,
    pack_w4a16,
)
from ..quant import PackedWeight
from ..tensors.entry import Role, TensorEntry, TensorKind
from .derived import JoinedTensor, Place
from .huggingface.packed_tensor import PackedTensor
from .mapped_file import drop_pages, expect_whole_read
from .mapped_tensor import MappedTensor
from .source import StoredTensor

TILED_FORMATS: Final = "Q4_0, Q8_0 and symmetric W4A16"
_ROLES: Final = frozenset({Role.ATTENTION, Role.MLP, Role.EXPERTS})
_PRODUCT: Final = re.compile(r"(.*\.(?:self_attn|mlp)\.)([qkv]|gate|up)_proj\.weight")


@dataclass(frozen=True, slots=True)
class _Form:
    """What matrices of one product must have in common; a GGUF file's blocks say it by their name."""

    encoding: str
    group: int = 0
    scales: torch.dtype | None = None


def choose_tiled(
    entries: Sequence[TensorEntry], tensors: Mapping[str, StoredTensor]
) -> frozenset[str]:
    """Names of the matrices that the GPU's kernels read as they are quantized.

    All matrices of one product have one format, or none is among them.
    """
    products: dict[str, set[_Form | None]] = defaultdict(set)
    forms = {entry.name: _form(tensors[entry.name], entry) for entry in entries}
    for name, form in forms.items():
        products[_product(name)].add(form)
    return frozenset(
        name
        for name, form in forms.items()
        if form is not None and len(products[_product(name)]) == 1
    )


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


def _product(name: str) -> str:
    """Which product a matrix is a part of: queries, keys and values are one, gate and up another."""
    match = _PRODUCT.fullmatch(name)
    if match is None:
        return name
    return match[1] + ("qkv" if match[2] in "qkv" else "gate_up")


def _form(stored: StoredTensor, entry: TensorEntry) -> _Form | None:
    """The format a matrix would be tiled in; None if the kernels cannot read it, or no kernel would."""
    if entry.kind not in (TensorKind.LINEAR, TensorKind.EXPERTS) or entry.role not in _ROLES:
        return None
    if entry.shape[-2] % TILE_ROWS:
        return None
    found = {_part_form(part) for _, part in _parts(stored)}
    return found.pop() if len(found) == 1 else None


def _part_form(part: StoredTensor) -> _Form | None:
    if isinstance(part, MappedTensor) and part.encoding in ("Q4_0", "Q8_0"):
        return _Form(part.encoding)
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
