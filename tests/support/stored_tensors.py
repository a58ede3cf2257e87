"""Stored tensors and checkpoints that lie in memory, for tests of the loader without files."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gemma4.config import DrafterConfig, ModelConfig
from gemma4.tensors.table import tensor_table
from gemma4.weights.checkpoint import Checkpoint, CheckpointFormat
from gemma4.weights.derived import NamedSource

ENCODINGS = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
}


@dataclass(frozen=True)
class TensorInMemory:
    """Satisfies `StoredTensor`."""

    name: str
    values: Tensor
    said_encoding: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def encoding(self) -> str:
        return self.said_encoding or ENCODINGS[self.values.dtype]

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        return self.values if dtype is None else self.values.to(dtype)

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        return self.values[index].to(dtype or self.values.dtype)


def random_tensors(
    config: ModelConfig | DrafterConfig, dtype: torch.dtype = torch.float32, seed: int = 0
) -> dict[str, Tensor]:
    """Values for every tensor of a (small) configuration's table."""
    generator = torch.Generator().manual_seed(seed)
    return {
        entry.name: torch.randperm(entry.num_elements, generator=generator).view(entry.shape)
        if entry.dtype == "int64"
        else torch.randn(entry.shape, generator=generator).to(dtype)
        for entry in tensor_table(config)
    }


def source_of(tensors: dict[str, Tensor]) -> NamedSource:
    """A source whose tensors have these names and values."""
    stored = {name: TensorInMemory(name, values) for name, values in tensors.items()}
    return NamedSource(path=Path("memory"), tensors=stored)


def checkpoint_of(config: ModelConfig | DrafterConfig, tensors: dict[str, Tensor]) -> Checkpoint:
    """A checkpoint of these tensors, by module path."""
    return Checkpoint(
        path=Path("memory"),
        format=CheckpointFormat.HUGGING_FACE,
        config=config,
        source=source_of(tensors),
        tokenizer=None,
        chat_template=None,
        generation_config=None,
    )


class StandInModule(nn.Module):
    """A module tree whose parameter paths are the table's names, on the meta device."""

    def __init__(self, config: ModelConfig | DrafterConfig) -> None:
        super().__init__()
        for entry in tensor_table(config):
            *owners, name = entry.name.split(".")
            module: nn.Module = self
            for owner in owners:
                if owner not in module._modules:
                    module.add_module(owner, nn.Module())
                module = module.get_submodule(owner)
            values = torch.empty(entry.shape, device="meta")
            module.register_parameter(name, nn.Parameter(values, requires_grad=False))
