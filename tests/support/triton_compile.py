"""Compiles the kernels for a GPU that is not there, and prints what each takes of it as JSON rows.

    python triton_compile.py 90            for compute capability 9.0
    python triton_compile.py 90 --all      every form of model, plain and quantized

Runs in a process of its own, without Triton's interpreter: every launch is turned into a compilation with
exactly the launch's types, constants and options.
"""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver
from triton.runtime.jit import JITFunction
from triton_models import small_config
from triton_weights import random_packed

from gemma4.config import TextConfig, plan_kv_groups
from gemma4.kernels.cuda import linear
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.decoder_weights import decoder_weights
from gemma4.kernels.cuda.packed import Weight
from gemma4.kernels.cuda.tuning import Tuning
from gemma4.model.decoder import Decoder

CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


class AbsentGpu:
    """As much of a driver as compiling asks for."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return device


# Between them these launch every kernel; the others only differ in constants.
FEW = (("e_series", False), ("moe", True))
ALL = (("e_series", False), ("e_series", True), ("moe", False), ("moe", True))
# Constants that make another program of a kernel, not only another size.
FORMS = ("BITS", "GATED", "ROUTED", "H", "KEYS_ARE_VALUES", "HAS_BRANCH")


def compile_all(capability: int, passes: tuple[tuple[str, bool], ...]) -> list[dict[str, Any]]:
    """Kernels of passes over models of true head widths, and their resources."""
    driver.set_active(AbsentGpu(capability))
    kernels: dict[str, Any] = {}
    run, seen = JITFunction.run, set[tuple[Any, ...]]()

    def compile_only(self: Any, *args: Any, **kwargs: Any) -> Any:
        form = (self.__name__, *(kwargs.get(name) for name in FORMS))
        if passes is FEW and form in seen:
            return None
        seen.add(form)
        kernel = run(self, *args, **{**kwargs, "warmup": True})
        kernels[f"{self.__name__} {kernel.hash[:6]}"] = kernel
        return kernel

    JITFunction.run = compile_only
    for form, quantized in passes:
        _passes(_true_heads(small_config(form)), quantized)
    linear.expand(random_packed("Q4_0", 64, 256), torch.bfloat16)
    x = torch.zeros(1, 512).bfloat16()
    for name in ("Q8_0", "W4A16/128"):
        linear.linear(x, random_packed(name, 128, 512), Tuning())
    return [_resources(name, kernel) for name, kernel in kernels.items()]


def _true_heads(config: TextConfig) -> TextConfig:
    return replace(config, hidden_size=256, head_dim=256, full_head_dim=512, num_heads=8)


def _passes(config: TextConfig, quantized: bool) -> None:
    """A decode step and, where nothing but kernels would run, a chunk of a prompt."""
    state: dict[str, Weight] = {}
    for name, tensor in Decoder(config).state_dict().items():
        matrix = name.startswith("layers.") and tensor.ndim > 1
        matrices = tensor.shape[0] if tensor.ndim == 3 else 1
        state[name] = (
            random_packed("Q4_0", tensor.shape[-2], tensor.shape[-1], matrices=matrices)
            if quantized and matrix
            else torch.zeros(tensor.shape, dtype=torch.bfloat16)
        )
    keys, values, tables = [], [], []
    for group in plan_kv_groups(config.plan_layers()):
        shape = (4, len(group.layers), group.num_kv_heads)
        keys.append(torch.zeros((*shape, group.head_dim, 32), dtype=torch.bfloat16))
        values.append(torch.zeros((*shape, 32, group.head_dim), dtype=torch.bfloat16))
        tables.append(torch.zeros(2, 64, dtype=torch.int32))
    model = CudaDecoder(config, decoder_weights(config, state), keys, values)
    width = config.num_layers * config.per_layer_dim
    tokens = torch.zeros(20, width).bfloat16() if width else None
    one = None if tokens is None else tokens[:1]
    model.decode(torch.zeros(1).long(), torch.zeros(1).int(), tables, one)
    model.prefill(
        torch.zeros(20, config.hidden_size).bfloat16(),
        torch.arange(20),
        (20,),
        torch.tensor([19]),
        tables,
        per_layer_tokens=tokens,
    )


def _resources(name: str, kernel: Any) -> dict[str, Any]:
    with NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(kernel.asm["cubin"])
        command = [CUOBJDUMP, "-res-usage", file.name]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", report)
    assert found, report
    return {
        "kernel": name.split()[0],
        "registers": int(found[1]),
        "stack": int(found[2]),
        "shared": kernel.metadata.shared,
        "warps": kernel.metadata.num_warps,
        "tensor_cores": bool(re.search(r"\b(mma\.sync|wgmma)", kernel.asm["ptx"])),
    }


if __name__ == "__main__":
    for row in compile_all(int(sys.argv[1]), ALL if "--all" in sys.argv else FEW):
        print(json.dumps(row))
