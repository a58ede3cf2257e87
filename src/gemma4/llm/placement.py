"""Where and in what dtype a model runs. Nothing falls back in silence: the choice comes with its reason."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from ..config import ModelConfig
from ..errors import EnvironmentFault, InputError
from ..fit.expansion import expanded_dtype
from ..fit.machine import read_memory
from ..fit.weights import estimate_stored_weights
from ..kernels.cuda import CudaKernels
from ..kernels.native import Native
from ..weights.checkpoint import Checkpoint
from ..weights.in_place import table_obstacle
from ..weights.load import is_plain
from ..weights.stored_weights import stored_weights
from .cuda_choice import CUDA, choose_cuda
from .native_choice import AUTO, OFF, choose_native

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LEAST_SHARE = 8
"""One part in so many of the free memory is left for keys and values, whatever the weights take."""

STORED_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


@dataclass(frozen=True, slots=True)
class Placement:
    """Device and dtype, with a sentence on why where it was ours to choose."""

    device: torch.device
    dtype: torch.dtype
    notes: tuple[str, ...] = ()
    kernels: Native | CudaKernels | None = None
    """The kernels that compute; None: torch."""


def choose_placement(
    checkpoint: Checkpoint,
    device: str,
    dtype: str,
    kernels: str = OFF,
    *,
    kv_dtype: str = AUTO,
    threads: int | None = None,
) -> Placement:
    """Resolve `auto`.

    Device: the first CUDA device, else the CPU. Native kernels keep weights in their file and compute in
    float32. A GPU's keep what they can as it is quantized and compute in 16 bits. Without either, dtype:
    as the weights are stored; quantized weights expand to float32 if that takes at most half of the free
    memory, else to bfloat16.

    Raises:
        checkpoint.config,
        kernels=kernels,
        device=place,
        dtype=dtype,
        threads=threads,
        obstacle=table_obstacle(checkpoint.source.tensors),
        EnvironmentFault: kernels asked for by name that cannot compute this model.
    """
    place = _device(device)
    if dtype != "auto" and dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; give auto, {', '.join(DTYPES)}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; give 1 or more, or none to use all cores")
    if kernels == OFF or not isinstance(checkpoint.config, ModelConfig):
        return _with_torch(checkpoint, place, dtype, ())
    if kernels == CUDA or (kernels == AUTO and place.type == "cuda"):
        computing = DTYPES.get(dtype) or stored_dtype(checkpoint) or torch.bfloat16
        found = choose_cuda(
            checkpoint.config, kernels=kernels, device=place, dtype=computing, kv_dtype=kv_dtype
        )
        if found.kernels is not None:
            return Placement(place, computing, found.notes, found.kernels)
        return _with_torch(checkpoint, place, dtype, found.notes)
    choice = choose_native(
        checkpoint.config,
        kernels=kernels,
        device=place,
        dtype=dtype,
        threads=threads,
        obstacle=table_obstacle(checkpoint.source.tensors),
    )
    if choice.native is not None:
        placed = Placement(place, torch.float32, choice.notes, choice.native)
        return replace(placed, notes=(*choice.notes, *_crowding(checkpoint, placed)))
    return _with_torch(checkpoint, place, dtype, choice.notes)


def _with_torch(
    checkpoint: Checkpoint, place: torch.device, dtype: str, notes: tuple[str, ...]
) -> Placement:
    if dtype != "auto":
        return Placement(place, DTYPES[dtype], notes)
    stored = stored_dtype(checkpoint)
    if stored is not None and not (stored is torch.float16 and place.type == "cpu"):
        return Placement(place, stored, notes)
    expanding = _for_expanding(checkpoint, place, half_stored=stored is torch.float16)
    return replace(expanding, notes=(*notes, *expanding.notes))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n", 1)[0]
        raise InputError(f"device {name!r} cannot be used ({reason}); give auto or cpu") from error
    return device


def stored_dtype(checkpoint: Checkpoint) -> torch.dtype | None:
    """The dtype that most bytes of matrices have; None if any is quantized.

    Not the widest: llama.cpp writes a few (routers, position tables) as float32 into bfloat16 files.
    """
    matrices = [tensor for tensor in checkpoint.source.tensors.values() if len(tensor.shape) >= 2]
    if not matrices or not all(is_plain(tensor) for tensor in matrices):
        return None
    sizes: Counter[str] = Counter()
    for tensor in matrices:
        sizes[tensor.encoding] += tensor.nbytes
    return STORED_DTYPES.get(sizes.most_common(1)[0][0])


def _for_expanding(checkpoint: Checkpoint, place: torch.device, *, half_stored: bool) -> Placement:
    numbers = _count_resident(checkpoint)
    name = expanded_dtype(numbers, free_bytes(place))
    dtype = DTYPES[name]
    why = "float16 weights overflow on the CPU" if half_stored else "quantized weights are expanded"
    size = numbers * dtype.itemsize / 2**30
    return Placement(place, dtype, (f"{why}: computing in {name}, {size:.1f} GiB",))


def _count_resident(checkpoint: Checkpoint) -> int:
    """Numbers of all tensors but the per-layer table, which stays on disk."""
    return sum(
        math.prod(tensor.shape)
        for name, tensor in checkpoint.source.tensors.items()
        if "embed_tokens_per_layer" not in name
    )


def _needed_bytes(checkpoint: Checkpoint, placement: Placement) -> tuple[int, str]:
    """Memory that weights take at least, and in what form they are then; per-layer tables stay on disk."""
    if placement.kernels is None:
        name = str(placement.dtype).removeprefix("torch.")
        return _count_resident(checkpoint) * placement.dtype.itemsize, f"in {name}"
    tensors = checkpoint.source.tensors
    stored = sum(
        tensor.nbytes for name, tensor in tensors.items() if "embed_tokens_per_layer" not in name
    )
    return stored, "as they are stored"


def free_bytes(place: torch.device) -> int:
    """Memory that is free where a model lies."""
    if place.type == "cuda":
        return int(torch.cuda.mem_get_info(place)[0])
    return read_memory().available_bytes


def free_beside(checkpoint: Checkpoint, placement: Placement) -> int:
    """Memory that is free beside loaded weights: the pages of those used in their file must stay in it.

    Where they do not fit, an eighth of what is free: the disk is read for every token anyway.
    """
    free = free_bytes(placement.device)
    if placement.device.type != "cpu":
        return free
    return max(free - _mapped_bytes(checkpoint, placement), free // LEAST_SHARE)


def _crowding(checkpoint: Checkpoint, placement: Placement) -> tuple[str, ...]:
    mapped, free = _mapped_bytes(checkpoint, placement), free_bytes(placement.device)
    if mapped <= free:
        return ()
    return (
        f"the weights take {mapped / 2**30:.1f} GiB of memory where they lie and {free / 2**30:.1f} GiB are "
        "free: the disk is read for every token, which is slow; close other programs or take a smaller model",
    )


def _mapped_bytes(checkpoint: Checkpoint, placement: Placement) -> int:
    """Of the weights, bytes that are used where they lie in their file, as `gemma4 fit` counts them."""
    native = isinstance(placement.kernels, Native)
    dtype = str(placement.dtype).removeprefix("torch.")
    weights = estimate_stored_weights(stored_weights(checkpoint), dtype, native=native)
    return weights.text_bytes + weights.media_bytes - weights.copied_bytes


@contextmanager
def explaining_memory(checkpoint: Checkpoint, placement: Placement) -> Iterator[None]:
    """Turn running out of memory into one sentence: what the weights need, what was free, what to do.

    Raises:
        EnvironmentFault: an allocation inside failed.
    """
    needed, form = _needed_bytes(checkpoint, placement)
    free = free_bytes(placement.device)
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        raise EnvironmentFault(
            f"{checkpoint.path} does not fit in memory: its weights take {needed / 2**30:.1f} GiB "
            f"{form}, and {free / 2**30:.1f} GiB were free on {placement.device}; "
            "close other programs or take a smaller model (`gemma4 fit` says which fit)"
        ) from error


def is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """torch's allocator for the processor raises a plain RuntimeError."""
    return isinstance(
        error, MemoryError | torch.OutOfMemoryError
    ) or "can't allocate memory" in str(error)
