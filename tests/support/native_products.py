"""Random weights of every format that the native kernels take, and linears run through a `Program`."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gemma4.kernels.native import Native, find_native
from gemma4.quant import FORMATS, Bytes, PackedWeight, dequantize

SCALES = {  # where in a block float16 scales lie
    "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,),
    "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
}  # fmt: skip
PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
FORMAT_NAMES = (*PLAIN, *SCALES, "W4A16")
STEP = 1 / 254
"""Half a step of 8 bits over the largest magnitude of 32 activations: their rounding error at most."""


def native(kernels: str | None = None, *, num_threads: int = 2) -> Native:
    """The kernels, or a failure that says why not."""
    found = find_native(kernels=kernels, num_threads=num_threads)
    assert isinstance(found, Native), found
    return found


def instruction_sets() -> list[str]:
    """Those that this processor runs."""
    names: list[str] = native().module.supported_kernels()
    return names


@dataclass(frozen=True)
class RandomWeight:
    """A matrix [R, C] for the kernels, and its numbers in float32."""

    format: str
    matrix: object  # gemma4.kernels._native.Matrix
    numbers: Tensor
    owner: object

    @property
    def shape(self) -> tuple[int, int]:
        """[R, C]."""
        rows, columns = self.numbers.shape
        return rows, columns


def random_blocks(name: str, rows: int, columns: int, rng: np.random.Generator) -> Bytes:
    """Rows of blocks of random bytes, scales of both signs and of magnitudes from 0.001 to 0.1."""
    format = FORMATS[name]
    if format.dtype is not None:
        values = torch.from_numpy(rng.normal(size=(rows, columns)).astype(np.float32))
        return values.to(format.dtype).view(torch.uint8).numpy()
    raw = rng.integers(0, 256, (rows, format.row_bytes(columns)), dtype=np.uint8)
    blocks = raw.reshape(-1, format.bytes_per_block)
    for at in SCALES[name]:
        sizes = np.exp(rng.uniform(np.log(0.001), np.log(0.1), len(blocks)))
        signs = rng.choice([-1.0, 1.0], len(blocks))
        blocks[:, at : at + 2] = (sizes * signs).astype(np.float16)[:, None].view(np.uint8)
    return raw


def misaligned(raw: Bytes) -> Bytes:
    """The same bytes, the first at an odd address, and nothing behind the last that may be read."""
    room = np.empty(raw.nbytes + 64, dtype=np.uint8)
    start = -room.ctypes.data % 32 + 1
    moved = room[start : start + raw.nbytes].reshape(raw.shape)
    moved[:] = raw
    return moved


def random_weight(
    native: Native,
    name: str,
    rows: int,
    columns: int,
    rng: np.random.Generator,
    *,
    group: int = 32,
    aligned: bool = True,
) -> RandomWeight:
    """A weight of any format; `group` is W4A16's."""
    module = native.module
    if name == "W4A16":
        words = rng.integers(0, 256, (rows, columns // 2), dtype=np.uint8)
        scales = torch.from_numpy(rng.normal(size=(rows, columns // group)) * 0.02).bfloat16()
        packed = torch.from_numpy(words.view(np.int32).copy())
        numbers = PackedWeight(columns=columns, packed=packed, scale=scales).dequantize()
        raw = words if aligned else misaligned(words)
        matrix = module.Matrix(
            raw.ctypes.data, rows, columns, columns // 2, module.Format.W4A16, scales.data_ptr(), group
        )  # fmt: skip
        return RandomWeight(name, matrix, numbers, (raw, scales))
    raw = random_blocks(name, rows, columns, rng)
    if name in PLAIN:
        numbers = torch.from_numpy(raw.copy()).view(PLAIN[name]).view(rows, columns).float()
    else:
        numbers = dequantize(raw, FORMATS[name])
    raw = raw if aligned else misaligned(raw)
    format = getattr(module.Format, name)
    matrix = module.Matrix(raw.ctypes.data, rows, columns, raw.shape[1], format)
    return RandomWeight(name, matrix, numbers, raw)


def multiply(native: Native, weights: list[RandomWeight], x: Tensor) -> list[Tensor]:
    """x [T, C] · Wᵀ of weights that take the same packing, by a step that packs and one that multiplies."""
    module = native.module
    program = module.Program(module.Pool(native.num_threads), native.kernels)
    tokens, columns = x.shape
    packing = module.packing_for(getattr(module.Format, weights[0].format))
    packed = torch.empty(tokens, module.packed_bytes(packing, columns), dtype=torch.uint8)
    program.pack(x.data_ptr(), columns, columns, packing, packed.data_ptr())
    outs = [torch.full((tokens, weight.shape[0]), torch.nan) for weight in weights]
    program.linear(
        [(w.matrix, y.data_ptr(), y.shape[1]) for w, y in zip(weights, outs, strict=True)],
        packed.data_ptr(),
    )
    program.run(module.Pass(tokens, [(0, 0, tokens)]))
    return outs


def rounded(name: str, x: Tensor) -> Tensor:
    """The activations x [T, C] as the kernels round them for a format, in float32."""
    if name in ("F32", "F16"):
        return x
    if name == "BF16":
        return x.bfloat16().float()
    groups = x.view(x.shape[0], -1, 32)
    peaks = groups.abs().amax(-1, keepdim=True)
    inverse = torch.where(peaks > 1e-30, 127 / peaks, 0.0)
    return ((groups * inverse).round() * (peaks / 127)).view(x.shape)


def rounding_bound(name: str, x: Tensor, numbers: Tensor) -> Tensor:
    """What rounding activations may cost each product of x [T, C] and numbers [R, C]: float64 [T, R]."""
    magnitudes = numbers.double().abs()
    if name in ("F32", "F16"):
        return torch.zeros(x.shape[0], numbers.shape[0], dtype=torch.float64)
    if name == "BF16":
        return x.double().abs() @ magnitudes.T * 2**-8
    peaks = x.double().view(x.shape[0], -1, 32).abs().amax(-1)
    return peaks @ magnitudes.view(numbers.shape[0], -1, 32).sum(-1).T * STEP
