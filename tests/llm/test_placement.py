"""Where and in what dtype a checkpoint runs, told from how its tensors are stored."""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from native_models import shrunk
from native_products import native

import gemma4.llm.placement as placement
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import EnvironmentFault
from gemma4.fit.machine import Machine
from gemma4.llm.key_value_memory import KeyValueOptions, plan_memory
from gemma4.llm.placement import Placement, choose_placement, explaining_memory, free_beside
from gemma4.quant import FORMATS
from gemma4.weights.mapped_tensor import MappedTensor

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "Q4_0": 0.5625}


@dataclass(frozen=True)
class Stored:
    shape: tuple[int, ...]
    encoding: str

    @property
    def nbytes(self) -> int:
        return int(prod(self.shape) * BYTES[self.encoding])


def chosen(tensors: dict[str, Stored]) -> torch.dtype:
    source = SimpleNamespace(tensors=tensors)
    checkpoint = SimpleNamespace(source=source, config=PUBLISHED_MODELS["e2b"])
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


@pytest.mark.parametrize(("free", "expected"), [(800, torch.float32), (799, torch.bfloat16)])
def test_blocks_expand_to_float32_where_that_takes_half_of_the_free_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, expected: torch.dtype
) -> None:
    machine = Machine(total_bytes=1000, available_bytes=free)
    monkeypatch.setattr(placement, "read_memory", lambda: machine)
    table = "model.language_model.embed_tokens_per_layer.weight"
    assert chosen({"a": Stored((10, 10), "Q4_0"), table: Stored((99, 99), "Q4_0")}) is expected


def run_out(error: Exception) -> None:
    """Fail with it while loading weights of 3 GiB in bfloat16 into 2 GiB of free memory."""
    tensors = {"a": Stored((3, 2**29), "BF16")}
    source = SimpleNamespace(tensors=tensors)
    checkpoint = SimpleNamespace(path=Path("big.gguf"), source=source)
    with explaining_memory(checkpoint, Placement(torch.device("cpu"), torch.bfloat16)):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.00 GiB for an array"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=["numpy", "cuda", "torch"],
)
def test_running_out_of_memory_is_one_sentence_with_figures_and_remedy(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    machine = Machine(total_bytes=2**32, available_bytes=2**31)
    monkeypatch.setattr(placement, "read_memory", lambda: machine)
    expected = (
        "big.gguf does not fit in memory: its weights take 3.0 GiB in bfloat16, and 2.0 GiB were "
        "free on cpu; close other programs or take a smaller model (`gemma4 fit` says which fit)"
    )
    with pytest.raises(EnvironmentFault, match=f"^{re.escape(expected)}$"):
        run_out(error)


def test_what_torch_says_when_memory_runs_out_is_understood() -> None:
    source = SimpleNamespace(tensors={})
    checkpoint = SimpleNamespace(path=Path("big.gguf"), source=source)
    with (
        pytest.raises(EnvironmentFault, match=r"big\.gguf does not fit in memory"),
        explaining_memory(checkpoint, Placement(torch.device("cpu"), torch.float32)),
    ):
        torch.empty(2**50)


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes do not match$"):
        run_out(RuntimeError("shapes do not match"))


LAYER = "model.language_model.layers.0"


def mapped(name: str, encoding: str, rows: int, columns: int) -> MappedTensor:
    data = np.zeros(rows * FORMATS[encoding].row_bytes(columns), dtype=np.uint8)
    return MappedTensor(name=name, shape=(rows, columns), format=FORMATS[encoding], data=data)


def packed_checkpoint(encoding: str = "Q4_0") -> SimpleNamespace:
    """One matrix of 64 × 256 in blocks: 9,216 bytes in Q4_0."""
    name = f"{LAYER}.mlp.down_proj.weight"
    source = SimpleNamespace(tensors={name: mapped(name, encoding, 64, 256)})
    return SimpleNamespace(path=Path("big.gguf"), source=source, config=shrunk("31b"))


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    machine = Machine(total_bytes=10**9, available_bytes=free)
    monkeypatch.setattr(placement, "read_memory", lambda: machine)


def test_blocks_that_native_kernels_read_are_not_expanded_however_little_memory_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_free(monkeypatch, 10_000)
    found = choose_placement(packed_checkpoint(), "cpu", "auto", "auto")
    assert found.kernels is not None
    assert (found.dtype, found.notes) == (torch.float32, ())


def with_table(encoding: str) -> SimpleNamespace:
    """The same with a table of per-layer embeddings that lies in the file in this encoding."""
    checkpoint, name = packed_checkpoint(), "model.language_model.embed_tokens_per_layer.weight"
    packed = SimpleNamespace(name=name, shape=(64, 256), encoding=encoding, nbytes=9_216)
    table = mapped(name, encoding, 64, 256) if encoding in FORMATS else packed
    checkpoint.source.tensors[name] = table
    return checkpoint


@pytest.mark.parametrize("encoding", ["BF16", "Q4_0", "Q6_K"])
def test_a_per_layer_table_that_kernels_look_rows_up_in_is_no_obstacle(encoding: str) -> None:
    found = choose_placement(with_table(encoding), "cpu", "auto", "auto")
    assert found.kernels is not None


@pytest.mark.parametrize("encoding", ["Q2_K", "Q3_K", "IQ4_NL", "F64", "W4A16"])
def test_one_that_they_do_not_read_is_computed_with_torch_which_reads_it(encoding: str) -> None:
    """It was refused once the weights had been loaded."""
    reason = f"the native kernels look no rows up in a per-layer table in {encoding}"
    found = choose_placement(with_table(encoding), "cpu", "auto", "auto")
    assert found.kernels is None
    assert found.notes[0] == f"computing with torch, which is slower: {reason}"
    with pytest.raises(EnvironmentFault, match=f"^kernels portable cannot be used: {reason}$"):
        choose_placement(with_table(encoding), "cpu", "auto", "portable")


def test_weights_that_do_not_fit_where_they_lie_are_not_refused_but_said_to_be_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_free(monkeypatch, 9_000)
    found = choose_placement(packed_checkpoint(), "cpu", "auto", "auto")
    assert found.kernels is not None
    (note,) = found.notes
    assert note.startswith(
        "the weights take 0.0 GiB of memory where they lie and 0.0 GiB are free: the"
    )


@pytest.mark.parametrize(("free", "left"), [(100_000, 90_784), (9_300, 1_162)])
def test_mapped_weights_are_no_room_for_keys_and_values(
    monkeypatch: pytest.MonkeyPatch, free: int, left: int
) -> None:
    """The system calls pages of files available. Where they fill all, an eighth is given still."""
    with_free(monkeypatch, free)
    place = Placement(torch.device("cpu"), torch.float32, kernels=native())
    assert free_beside(packed_checkpoint(), place) == left


@pytest.mark.parametrize("encoding", ["Q4_0", "BF16"])
def test_what_is_expanded_is_in_memory_when_keys_and_values_are_planned(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """So it is no longer among what is free. bfloat16 computed in bfloat16 stays in its file."""
    with_free(monkeypatch, 100_000)
    place = Placement(torch.device("cpu"), torch.bfloat16)
    expected = 100_000 if encoding == "Q4_0" else 100_000 - 64 * 256 * 2
    assert free_beside(packed_checkpoint(encoding), place) == expected


def test_the_context_of_31b_in_four_bits_leaves_room_for_its_weights_in_24_gigabytes() -> None:
    """Half of what is free beside 17.7 GB of 23; half of all would not leave them in the cache."""
    plan = plan_memory(
        KeyValueOptions(),
        PUBLISHED_MODELS["31b"],
        computing="float16",
        free_bytes=int(23e9 - 17.7e9),
    )
    assert plan.num_bytes <= 2.65e9
    assert plan.context > 4_096
