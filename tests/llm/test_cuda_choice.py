"""When the GPU's kernels compute, when torch does instead, and that either is said."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from cuda_engines import KERNELS
from native_models import shrunk

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import EnvironmentFault
from gemma4.fit.tiles import gpu_obstacle
from gemma4.kernels.cuda import CudaKernels, NoKernels
from gemma4.llm import cuda_choice
from gemma4.llm.cuda_choice import CudaChoice, choose_cuda
from gemma4.llm.placement import choose_placement

GPU = torch.device("cuda", 0)
BF16 = torch.bfloat16


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as choosing asks for one."""
    monkeypatch.setattr(cuda_choice, "load_kernels", lambda: KERNELS)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "NVIDIA H200")


def choose(kernels: str = "auto", **changes: object) -> CudaChoice:
    asked = {"device": GPU, "dtype": BF16, "kv_dtype": "auto"} | changes
    return choose_cuda(shrunk("31b"), kernels=kernels, **asked)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("kernels", ["auto", "cuda"])
@pytest.mark.parametrize("kv_dtype", ["auto", "bfloat16"])
def test_kernels_compute_where_they_can(kernels: str, kv_dtype: str) -> None:
    found = choose(kernels, kv_dtype=kv_dtype)
    assert found.kernels is KERNELS
    assert found.notes == ("GPU kernels on NVIDIA H200; decoding steps are recorded",)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"dtype": torch.float32},
            "GPU kernels compute in bfloat16 or float16, and dtype is float32",
        ),
        (
            {"kv_dtype": "int8"},
            "GPU kernels keep keys and values in bfloat16, and kv_dtype is int8",
        ),
        ({"device": torch.device("cpu")}, "the model is on cpu; give device cuda"),
    ],
)
def test_where_they_cannot_torch_does_and_says_why(changes: dict[str, object], reason: str) -> None:
    assert choose(**changes) == CudaChoice(
        None, (f"computing with torch, which is slower: {reason}",)
    )
    with pytest.raises(EnvironmentFault, match=f"^kernels cuda cannot be used: {reason}$"):
        choose("cuda", **changes)


def test_without_triton_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = NoKernels("GPU kernels are off: triton is not installed; pip install it.")
    monkeypatch.setattr(cuda_choice, "load_kernels", lambda: missing)
    assert choose().kernels is None
    assert choose().notes == (
        "computing with torch, which is slower: GPU kernels are off: triton is not installed; "
        "pip install it",
    )


def test_every_published_size_has_widths_that_the_kernels_take() -> None:
    for model in PUBLISHED_MODELS.values():
        assert gpu_obstacle(model.text, "bfloat16", None) is None
    text = shrunk("26b-a4b").text
    assert text.moe is not None
    assert gpu_obstacle(replace(text, head_dim=48), "bfloat16", None) == (
        "head_dim=48 is no power of two from 16 on"
    )
    narrow = replace(text, moe=replace(text.moe, intermediate_size=24))
    assert gpu_obstacle(narrow, "bfloat16", None) == "expert width=24 is no multiple of 32"


def test_cuda_asked_for_without_a_gpu_is_refused() -> None:
    checkpoint = SimpleNamespace(config=shrunk("31b"), source=SimpleNamespace(tensors={}))
    with pytest.raises(EnvironmentFault, match=r"kernels cuda cannot be used: .* no CUDA device"):
        choose_placement(checkpoint, "cpu", "auto", "cuda")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("dtype", "computing"), [("auto", BF16), ("float16", torch.float16)])
def test_quantized_weights_compute_in_sixteen_bits(
    monkeypatch: pytest.MonkeyPatch, dtype: str, computing: torch.dtype
) -> None:
    monkeypatch.setattr("gemma4.llm.placement._device", lambda _name: GPU)
    stored = SimpleNamespace(shape=(64, 64), encoding="Q4_0", nbytes=2304)
    source = SimpleNamespace(tensors={"a": stored})
    checkpoint = SimpleNamespace(config=shrunk("31b"), source=source)
    placement = choose_placement(checkpoint, "auto", dtype, "auto")
    assert isinstance(placement.kernels, CudaKernels)
    assert placement.dtype is computing
