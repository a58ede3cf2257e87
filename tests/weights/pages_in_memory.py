"""Run by test_dropped_pages in a process of its own: read a tensor in some way, print memory figures.

Words: a .safetensors file, the tensor's name, and `converted`, `in-place`, `address` or `rows`.
"""

import json
import sys
from pathlib import Path

import torch

from gemma4.weights.huggingface.safetensors_files import open_safetensors


def resident(field: str) -> int:
    """Bytes of a field of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[field].split()[0]) * 1024


tensor = open_safetensors(Path(sys.argv[1])).tensors[sys.argv[2]]
way = sys.argv[3]
before = resident("RssFile"), resident("RssAnon")
if way == "converted":
    values = tensor.read(torch.float32)
elif way == "in-place":
    values = tensor.read()
    values.float().sum()
elif way == "address":  # as kernels read rows
    values = torch.from_numpy(tensor.raw[::2, :64].copy())
    tensor.let_go()
else:
    values = torch.cat([tensor.rows(torch.tensor([row])) for row in range(0, tensor.shape[0], 2)])
after = resident("RssFile"), resident("RssAnon")
print(json.dumps({"file": after[0] - before[0], "memory": after[1] - before[1]}))
