"""The layer table: verdicts, order, and what a large value elsewhere cannot hide."""

import pytest
import torch
from torch import Tensor, nn

from gemma4.verify.layers import Verdict, compare_layers, first_difference
from gemma4.verify.recorder import KEPT_TOWER_ROWS, Recorder, watch_decoder

NAMES = ("mine", "theirs")


def compare(found: dict[str, Tensor], reference: dict[str, Tensor], threshold: float = 1e-3):
    return compare_layers(found, reference, threshold=threshold, names=NAMES)


def test_equal_layers_are_ok() -> None:
    states = {"embedding": torch.ones(3, 4), "layer 0": torch.zeros(3, 4)}
    lines = compare(states, states)
    assert [(line.name, line.verdict) for line in lines] == [
        ("embedding", Verdict.OK),
        ("layer 0", Verdict.OK),
    ]
    assert all((line.largest, line.mean, line.relative) == (0, 0, 0) for line in lines)
    assert first_difference(lines) is None


def test_one_wrong_token_shows_beside_a_huge_one() -> None:
    """As in trained models, whose first token is a thousand times longer than the others."""
    reference = torch.ones(50, 16)
    reference[0] *= 1000
    found = reference.clone()
    found[20, 3] += 0.1
    (line,) = compare({"layer 0": found}, {"layer 0": reference})
    assert line.verdict is Verdict.DIFF
    assert line.relative == pytest.approx(0.1 / 4, rel=1e-4)  # float32: over √16
    assert line.largest == pytest.approx(0.1, rel=1e-4)  # float32
    assert line.mean == pytest.approx(0.1 / 800, rel=1e-4)  # float32


def test_other_shapes_and_missing_places_are_named() -> None:
    ours = {"a": torch.ones(2, 4), "b": torch.ones(2, 4), "d": torch.ones(2, 4)}
    theirs = {"a": torch.ones(2, 8), "c": torch.ones(2, 4), "d": torch.ones(2, 4)}
    lines = {line.name: line for line in compare(ours, theirs)}
    assert lines["a"].verdict is Verdict.SHAPE
    assert lines["a"].detail == "[2, 4] and [2, 8]"
    assert (lines["b"].verdict, lines["b"].detail) == (Verdict.MISSING, "not in theirs")
    assert (lines["c"].verdict, lines["c"].detail) == (Verdict.MISSING, "not in mine")
    assert lines["d"].verdict is Verdict.OK
    assert list(lines) in (["a", "c", "b", "d"], ["a", "b", "c", "d"])


def test_nan_is_a_difference_even_to_itself() -> None:
    states = {"layer 0": torch.full((2, 2), float("nan"))}
    assert compare(states, states)[0].verdict is Verdict.DIFF


def test_the_first_difference_is_the_first_in_the_order_of_computation() -> None:
    ours = {f"layer {index}": torch.full((2, 2), 1.0) for index in range(12)}
    theirs = {
        name: values + 0.5 * (index >= 10) for index, (name, values) in enumerate(ours.items())
    }
    first = first_difference(compare(ours, theirs))
    assert first is not None
    assert first.name == "layer 10"


class Doubling(nn.Module):
    """A layer."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Stack(nn.Module):
    """A decoder of three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Doubling() for _ in range(3))
        self.norm = Doubling()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


def test_a_recorder_keeps_chosen_rows_of_every_layer_and_leaves_no_hook() -> None:
    stack = Stack()
    x = torch.arange(5.0)[:, None]
    kinds = ("sliding_attention", "full_attention", "sliding_attention")
    with Recorder() as recorder:
        watch_decoder(recorder, stack, kinds, rows=(1, 4), soft_rows=(2,))
        stack(x[None])  # with a leading 1, as transformers has it
        states = recorder.states()
    assert {name: values.flatten().tolist() for name, values in states.items()} == {
        "soft tokens": [2],
        "embedding": [1, 4],
        "layer 0 (sliding)": [2, 8],
        "layer 1 (full)": [4, 16],
        "layer 2 (sliding)": [8, 32],
        "final norm": [16, 64],
    }
    stack(x)
    assert recorder.states().keys() == states.keys()
    assert len(recorder.states()["embedding"]) == 2


def test_hooks_go_when_the_run_fails() -> None:
    stack = Stack()
    recorder = Recorder()
    watch_decoder(recorder, stack, ("full_attention",) * 3, rows=(7,), soft_rows=())
    with pytest.raises(IndexError), recorder:
        stack(torch.ones(2, 1))
    assert not stack.layers[0]._forward_pre_hooks
    assert not stack.norm._forward_hooks


def test_of_a_towers_many_rows_some_are_kept_and_runs_are_joined() -> None:
    module = Doubling()
    with Recorder() as recorder:
        recorder.watch("vision layer 0", module, lambda _, output: output)
        for _ in range(3):
            module(torch.ones(200, 1))
    assert recorder.states()["vision layer 0"].shape == (KEPT_TOWER_ROWS, 1)
