"""Kernels for NVIDIA GPUs, in Triton. Importing this package imports no Triton; `load_kernels` does."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .decoder import CudaDecoder
    from .graphs import DecodeRunner

MINIMUM_CAPABILITY = (8, 0)  # bfloat16 in the tensor cores


@dataclass(frozen=True, slots=True)
class CudaKernels:
    """What runs a decoder on a GPU: the pass from fused kernels, and the runner that records its steps."""

    decoder: "type[CudaDecoder]"
    runner: "type[DecodeRunner]"


@dataclass(frozen=True, slots=True)
class NoKernels:
    """Why there are none: a sentence for the user."""

    reason: str


def load_kernels() -> CudaKernels | NoKernels:
    """The kernels if this machine can run them, or why it cannot."""
    if not torch.cuda.is_available():
        build = "" if torch.version.cuda else "; this torch is built without CUDA"
        return NoKernels(f"GPU kernels are off: torch finds no CUDA device{build}.")
    if find_spec("triton") is None:
        return NoKernels(
            "GPU kernels are off: triton is not installed; pip install 'gemma4[gpu]' brings it."
        )
    capability = torch.cuda.get_device_capability()
    if capability < MINIMUM_CAPABILITY:
        found, least = (".".join(map(str, pair)) for pair in (capability, MINIMUM_CAPABILITY))
        name = torch.cuda.get_device_name()
        return NoKernels(
            f"GPU kernels are off: {name} has compute capability {found}; they need {least}."
        )
    from .decoder import CudaDecoder
    from .graphs import DecodeRunner

    return CudaKernels(CudaDecoder, DecodeRunner)
