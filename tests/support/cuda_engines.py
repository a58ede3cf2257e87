"""Small models for the engine's GPU forward, whose kernels run in Triton's interpreter on the CPU.

`load_kernels` refuses a CPU; what it would give is put together here by hand.
"""

from dataclasses import replace

import torch
from native_models import shrunk
from torch import nn
from triton_models import random_state, small_config
from triton_weights import random_packed

from gemma4.kernels.cuda import CudaKernels
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.graphs import DecodeRunner
from gemma4.kernels.cuda.modules import TiledLinear, TiledStack
from gemma4.model.feedforward import Experts
from gemma4.model.gemma4 import Gemma4

KERNELS = CudaKernels(CudaDecoder, DecodeRunner)


def small_model(form: str, dtype: torch.dtype = torch.float32) -> Gemma4:
    """A model of its own weights, the same every time: loading for a GPU changes the modules."""
    torch.manual_seed(len(form))
    config = replace(shrunk("12b"), text=small_config(form))
    model = Gemma4(config).eval().requires_grad_(False)
    model.decoder.load_state_dict(random_state(config.text))
    return model.to(dtype)


def tile_matrices(model: Gemma4) -> Gemma4:
    """The model with random Q4_0 in the places of its layers' matrices, laid out for the kernels."""
    for layer in model.decoder.layers:
        for path, module in list(layer.named_modules()):
            if isinstance(module, nn.Linear):
                owner, _, name = path.rpartition(".")
                rows, columns = module.weight.shape
                tiled = TiledLinear(random_packed("Q4_0", rows, columns))
                setattr(layer.get_submodule(owner), name, tiled)
            if isinstance(module, Experts):
                for name in ("gate_up_proj", "down_proj"):
                    count, rows, columns = getattr(module, name).shape
                    delattr(module, name)
                    matrix = random_packed("Q4_0", rows, columns, matrices=count)
                    setattr(module, name, TiledStack(matrix, model.dtype))
    return model
