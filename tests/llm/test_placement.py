"""Where and in what dtype a checkpoint runs, told from how its tensors are stored."""

from dataclasses import dataclass
from math import prod
from types import SimpleNamespace

import pytest
import torch

from gemma4.llm.placement import choose_placement

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "Q4_0": 0.5625}


@dataclass(frozen=True)
class Stored:
    shape: tuple[int, ...]
    encoding: str

    @property
    def nbytes(self) -> int:
        return int(prod(self.shape) * BYTES[self.encoding])


def chosen(tensors: dict[str, Stored]) -> torch.dtype:
    checkpoint = SimpleNamespace(source=SimpleNamespace(tensors=tensors))
    return choose_placement(checkpoint, "cpu", "auto").dtype


@pytest.mark.parametrize(
    ("encoding", "expected"), [("BF16", torch.bfloat16), ("F32", torch.float32)]
)
def test_plain_weights_run_as_they_are_stored(encoding: str, expected: torch.dtype) -> None:
    tensors = {"a": Stored((64, 64), encoding), "norm": Stored((64,), "F32")}
    assert chosen(tensors) is expected


def test_a_few_wide_matrices_do_not_widen_the_rest() -> None:
    """llama.cpp writes routers and position tables as F32 into files of BF16."""
    tensors = {
        "experts": Stored((8, 64, 64), "BF16"),
        "router": Stored((8, 64), "F32"),
        "positions": Stored((2, 100, 24), "F32"),
    }
    assert chosen(tensors) is torch.bfloat16


def test_half_precision_and_blocks_expand_on_the_cpu() -> None:
    assert chosen({"a": Stored((64, 64), "F16")}) is torch.float32
    assert chosen({"a": Stored((64, 64), "Q4_0"), "b": Stored((9, 9), "BF16")}) is torch.float32
