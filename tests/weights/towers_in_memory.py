"""Run by test_towers_in_place in a process of its own: load, use a tower, print memory figures.

Word: a directory of safetensors. What is counted as a tower's are resident pages of its stretch of the file.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from gemma4.config import ModelConfig
from gemma4.kernels.native import Native, find_native
from gemma4.model.gemma4 import build_model
from gemma4.model.native.towers import kept_media, put_native_towers
from gemma4.weights.load import load_weights
from gemma4.weights.mapped_tensor import MappedTensor
from gemma4.weights.open_checkpoint import open_checkpoint

PAGE = 4096


def resident(tensors: list[MappedTensor]) -> int:
    """Bytes of these tensors whose pages this process has mapped."""
    total = 0
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pages:
        for tensor in tensors:
            first = -(-tensor.data.ctypes.data // PAGE)
            count = (tensor.data.ctypes.data + tensor.nbytes) // PAGE - first
            if count > 0:
                pages.seek(8 * first)
                entries = torch.frombuffer(bytearray(pages.read(8 * count)), dtype=torch.int64)
                total += PAGE * int((entries < 0).sum())  # bit 63: present
    return total


def private() -> int:
    """Anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)["RssAnon"].split()[0]) * 1024


def mapped(part: str) -> list[MappedTensor]:
    return [
        tensor
        for name, tensor in checkpoint.source.tensors.items()
        if name.startswith(f"model.{part}.") and isinstance(tensor, MappedTensor)
    ]


def figures() -> dict[str, int]:
    towers = {name: resident(mapped(f"{name}_tower")) for name in ("vision", "audio")}
    return {"private": private(), **towers}


@torch.inference_mode()
def grid(columns: int, rows: int) -> tuple[Tensor, Tensor]:
    places = torch.cartesian_prod(torch.arange(3 * rows), torch.arange(3 * columns)).flip(-1)
    return torch.rand(len(places), 768), places


checkpoint = open_checkpoint(Path(sys.argv[1]))
native = find_native(num_threads=2)
assert isinstance(native, Native)
assert isinstance(checkpoint.config, ModelConfig)
model = build_model(checkpoint.config)
torch.rand(64, 64) @ torch.rand(64, 64)  # libraries that torch brings in when it is first used
found = {"start": figures()}
load_weights(model, checkpoint, keep_blocks=True, keep_media=kept_media(checkpoint.config))
put_native_towers(model, native)
found["load"] = figures()
with torch.inference_mode():
    model.encode_image(*grid(2, 2))
    found["image"] = figures()
    model.encode_audio(torch.randn(40, 128), torch.ones(40, dtype=torch.bool))
    found["sound"] = figures()
print(json.dumps(found))
