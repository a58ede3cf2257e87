"""Whether the GPU's kernels compute, and in what words it is said."""

from dataclasses import dataclass
from typing import Final

import torch

from ..config import ModelConfig, TextConfig
from ..errors import EnvironmentFault
from ..kernels.cuda import CudaKernels, NoKernels, load_kernels

CUDA: Final = "cuda"
"""The word for these kernels."""

TILE: Final = 32
"""Rows of a matrix that a program computes: widths that are cut in two must be multiples."""

LEAST_HEAD: Final = 16
"""Narrower heads fill no tensor core."""


@dataclass(frozen=True, slots=True)
class CudaChoice:
    """The kernels, or None for torch; and a sentence on what came of it."""

    kernels: CudaKernels | None
    notes: tuple[str, ...]


def choose_cuda(
    config: ModelConfig, *, kernels: str, device: torch.device, dtype: torch.dtype, kv_dtype: str
) -> CudaChoice:
    """The GPU's kernels where they can compute the model.

    Args:
        kernels: `auto` or `cuda`.
        dtype: of computation.
        kv_dtype: of keys and values, as asked.

    Raises:
        EnvironmentFault: `cuda` was asked for and they cannot.
    """
    found = load_kernels()
    reason = found.reason.rstrip(".") if isinstance(found, NoKernels) else None
    if reason is None and device.type != "cuda":
        reason = f"the model is on {device}; give device cuda"
    reason = reason or obstacle(config.text, dtype, kv_dtype)
    if reason is None:
        assert isinstance(found, CudaKernels)
        name = torch.cuda.get_device_name(device)
        return CudaChoice(found, (f"GPU kernels on {name}; decoding steps are recorded",))
    if kernels == CUDA:
        raise EnvironmentFault(f"kernels {CUDA} cannot be used: {reason}")
    return CudaChoice(None, (f"computing with torch, which is slower: {reason}",))


def obstacle(text: TextConfig, dtype: torch.dtype, kv_dtype: str) -> str | None:
    """Why the kernels cannot compute a model of these widths, in these dtypes; None if they can."""
    name = str(dtype).removeprefix("torch.")
    if dtype not in (torch.bfloat16, torch.float16):
        return f"GPU kernels compute in bfloat16 or float16, and dtype is {name}"
    if kv_dtype not in ("auto", name):
        return f"GPU kernels keep keys and values in {name}, and kv_dtype is {kv_dtype}"
    for part, width in (("head_dim", text.head_dim), ("full_head_dim", text.full_head_dim)):
        if width < LEAST_HEAD or width & (width - 1):
            return f"{part}={width} is no power of two from {LEAST_HEAD} on"
    gated = {"intermediate_size": text.intermediate_size}
    if text.moe is not None:
        gated["expert width"] = text.moe.intermediate_size
    for part, width in gated.items():
        if width % TILE:
            return f"{part}={width} is no multiple of {TILE}"
    return None
