"""Where and in what dtype a model runs. Nothing falls back in silence: the choice comes with its reason."""

import math
from collections import Counter
from dataclasses import dataclass

import psutil
import torch

from ..errors import InputError
from ..weights.checkpoint import Checkpoint
from ..weights.load import is_plain

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
STORED_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


@dataclass(frozen=True, slots=True)
class Placement:
    """Device and dtype, with a sentence on why where it was ours to choose."""

    device: torch.device
    dtype: torch.dtype
    notes: tuple[str, ...] = ()


def choose_placement(checkpoint: Checkpoint, device: str, dtype: str) -> Placement:
    """Resolve `auto`.

    Device: the first CUDA device, else the CPU. Dtype: as the weights are stored; quantized weights
    expand to float32 if that takes at most half of the free memory, else to bfloat16.

    Raises:
        InputError: an unknown dtype, or a device that this machine lacks.
    """
    place = _device(device)
    if dtype != "auto":
        if dtype not in DTYPES:
            raise InputError(f"dtype {dtype!r} is unknown; give auto, {', '.join(DTYPES)}")
        return Placement(place, DTYPES[dtype])
    stored = _stored_dtype(checkpoint)
    if stored is not None and not (stored is torch.float16 and place.type == "cpu"):
        return Placement(place, stored)
    return _for_expanding(checkpoint, place, half_stored=stored is torch.float16)


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


def _stored_dtype(checkpoint: Checkpoint) -> torch.dtype | None:
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
    numbers = sum(
        math.prod(tensor.shape)
        for name, tensor in checkpoint.source.tensors.items()
        if "embed_tokens_per_layer" not in name
    )
    on_cpu = place.type == "cpu"
    free = psutil.virtual_memory().available if on_cpu else torch.cuda.mem_get_info(place)[0]
    dtype = torch.float32 if numbers * 4 <= free // 2 else torch.bfloat16
    why = "float16 weights overflow on the CPU" if half_stored else "quantized weights are expanded"
    name = str(dtype).removeprefix("torch.")
    size = numbers * dtype.itemsize / 2**30
    return Placement(place, dtype, (f"{why}: computing in {name}, {size:.1f} GiB",))
