"""Whether the GPU's kernels compute, and in what words it is said."""

from dataclasses import dataclass
from typing import Final

import torch

from ..config import ModelConfig
from ..errors import EnvironmentFault
from ..fit.tiles import gpu_obstacle
from ..kernels.cuda import CudaKernels, NoKernels, load_kernels
from .native_choice import AUTO

CUDA: Final = "cuda"
"""The word for these kernels."""


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
    if reason is None:
        computing = str(dtype).removeprefix("torch.")
        reason = gpu_obstacle(config.text, computing, None if kv_dtype == AUTO else kv_dtype)
    if reason is None:
        assert isinstance(found, CudaKernels)
        name = torch.cuda.get_device_name(device)
        return CudaChoice(found, (f"GPU kernels on {name}; decoding steps are recorded",))
    if kernels == CUDA:
        raise EnvironmentFault(f"kernels {CUDA} cannot be used: {reason}")
    return CudaChoice(None, (f"computing with torch, which is slower: {reason}",))
