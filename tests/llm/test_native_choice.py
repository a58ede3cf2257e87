"""When native kernels compute and when torch does, and that a user is told why."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch
from native_models import shrunk, shrunk_drafter

import gemma4.llm.native_choice as native_choice
from gemma4.config import ModelConfig
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import EnvironmentFault, InputError
from gemma4.kernels.native import REBUILD, Missing, Native
from gemma4.llm.native_choice import (
    NativeChoice,
    choose_native,
    drafter_obstacle,
    usable_kernels,
)
from gemma4.llm.placement import choose_placement

CPU = torch.device("cpu")
BUILT = ModuleType("_native")
BUILT.supported_kernels = lambda: ["avx2", "portable"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the kernels were there, for a processor with AVX2."""
    monkeypatch.setitem(sys.modules, "gemma4.kernels._native", BUILT)


def changed(**text: object) -> ModelConfig:
    config = shrunk("26b-a4b")
    return replace(config, text=replace(config.text, **text))  # type: ignore[arg-type]


def choose(
    config: ModelConfig | None = None,
    *,
    kernels: str = "auto",
    device: torch.device = CPU,
    dtype: str = "auto",
) -> NativeChoice:
    config = shrunk("26b-a4b") if config is None else config
    return choose_native(config, kernels=kernels, device=device, dtype=dtype)


@pytest.mark.parametrize("name", [*PUBLISHED_MODELS])
def test_every_published_size_is_computed_natively_without_a_word(name: str) -> None:
    found = choose(PUBLISHED_MODELS[name])
    assert isinstance(found.native, Native)
    assert (found.native.kernels, found.notes) == ("avx2", ())
    assert usable_kernels(PUBLISHED_MODELS[name]) == found.native


def test_kernels_asked_for_by_name_are_taken() -> None:
    found = choose(kernels="portable")
    assert found.native is not None
    assert found.native.kernels == "portable"


@pytest.mark.parametrize(
    "asked",
    [{"kernels": "off"}, {"dtype": "bfloat16"}, {"device": torch.device("cuda", 0)}],
    ids=["off", "a dtype", "a GPU"],
)
def test_where_a_user_asked_for_something_else_nothing_is_said(asked: dict[str, object]) -> None:
    assert choose(**asked) == NativeChoice(None)  # type: ignore[arg-type]


MOE = shrunk("26b-a4b").text.moe
assert MOE is not None

REASONS = [
    ({"hidden_size": 72}, "hidden_size=72 is no multiple of 32"),
    ({"intermediate_size": 100}, "intermediate_size=100 is no multiple of 32"),
    ({"head_dim": 40}, "head_dim=40 is no multiple of 32"),
    ({"full_head_dim": 80}, "full_head_dim=80 is no multiple of 32"),
    ({"per_layer_dim": 24}, "per_layer_dim=24 is no multiple of 32"),
    ({"vocab_size": 500}, "vocab_size=500 is no multiple of 32"),
    ({"moe": replace(MOE, intermediate_size=24)}, "expert width=24 is no multiple of 32"),
    ({"moe": replace(MOE, num_experts=8)}, "8 experts are fewer than 16"),
]


@pytest.mark.parametrize(("text", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_widths_that_the_kernels_do_not_take_are_named(
    text: dict[str, object], reason: str
) -> None:
    config = changed(**text)
    said = f"computing with torch, which is slower: {reason}"
    assert choose(config) == NativeChoice(None, (said,))
    assert usable_kernels(config) == Missing(reason)
    with pytest.raises(EnvironmentFault, match=f"^kernels avx2 cannot be used: {reason}$"):
        choose(config, kernels="avx2")


def test_an_installation_without_kernels_says_so_and_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gemma4.kernels._native", None)
    found = choose()
    assert found.native is None
    (note,) = found.notes
    assert note.startswith(
        "computing with torch, which is slower: the native kernels were not built ("
    )
    assert note.endswith(f"; {REBUILD}")
    with pytest.raises(
        EnvironmentFault, match="kernels avx2 cannot be used: the native kernels were"
    ):
        choose(kernels="avx2")


def test_kernels_that_this_processor_lacks_are_refused_with_those_it_has() -> None:
    expected = "kernels 'neon' do not run on this processor; it runs avx2, portable"
    with pytest.raises(InputError, match=f"^{expected}$"):
        choose(kernels="neon")


def test_native_kernels_by_name_on_a_gpu_are_refused() -> None:
    expected = (
        "kernels avx2 cannot be used: native kernels compute on the CPU and the model is on cuda:0"
    )
    with pytest.raises(EnvironmentFault, match=f"^{expected}$"):
        choose(kernels="avx2", device=torch.device("cuda", 0))


def test_what_a_checkpoint_stores_may_be_in_their_way() -> None:
    said = "computing with torch, which is slower: the table is odd"
    config = shrunk("e2b")
    found = choose_native(
        config, kernels="auto", device=CPU, dtype="auto", obstacle="the table is odd"
    )
    assert found == NativeChoice(None, (said,))
    assert usable_kernels(config, "auto", obstacle="the table is odd") == Missing(
        "the table is odd"
    )


def test_kernels_by_name_compute_in_their_own_dtype_only() -> None:
    found = choose(kernels="avx2", dtype="float32")
    assert found.native is not None
    for dtype in ("bfloat16", "float16"):
        expected = (
            f"kernels avx2 compute in float32 and dtype is {dtype}; give dtype auto, or kernels off"
        )
        with pytest.raises(InputError, match=f"^{expected}$"):
            choose(kernels="avx2", dtype=dtype)


@pytest.mark.parametrize("name", [*PUBLISHED_DRAFTERS])
def test_every_published_drafter_is_computed_beside_its_model(name: str) -> None:
    assert drafter_obstacle(PUBLISHED_DRAFTERS[name]) is None


def test_a_drafter_of_odd_widths_or_few_clusters_is_not() -> None:
    config = shrunk_drafter("e2b")
    odd = replace(config, text=replace(config.text, intermediate_size=48))
    assert drafter_obstacle(odd) == "intermediate_size=48 is no multiple of 32"
    few = replace(config, num_centroids=8)
    assert drafter_obstacle(few) == "8 clusters, or words in one, are fewer than 16"


def test_the_placement_of_a_model_carries_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `load` shows: the reason, and after it what is done instead."""
    monkeypatch.setattr(native_choice, "find_native", lambda **_: Missing("no compiler was there"))
    stored = SimpleNamespace(shape=(64, 64), encoding="Q4_0", nbytes=2304)
    source = SimpleNamespace(tensors={"a": stored})
    checkpoint = SimpleNamespace(config=shrunk("31b"), source=source)
    placement = choose_placement(checkpoint, "cpu", "auto", "auto")
    assert placement.kernels is None
    assert placement.notes[0] == "computing with torch, which is slower: no compiler was there"
    assert placement.notes[1].startswith("quantized weights are expanded: computing in float32")
