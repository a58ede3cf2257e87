"""Clipping around a linear layer, float32."""

import torch

from gemma4.model.clippable_linear import ClippableLinear


def test_input_and_output_are_clipped_to_their_own_bounds():
    layer = ClippableLinear(2, 2, clips=True)
    layer.load_state_dict(
        {
            "linear.weight": torch.eye(2) * 10,
            "input_min": torch.tensor(-1.0),
            "input_max": torch.tensor(2.0),
            "output_min": torch.tensor(-5.0),
            "output_max": torch.tensor(15.0),
        },
        strict=True,
    )
    found = layer(torch.tensor([[-3.0, 0.5], [1.0, 7.0]]))
    assert found.tolist() == [[-5.0, 5.0], [10.0, 15.0]]


def test_bounds_are_buffers_and_start_open():
    layer = ClippableLinear(3, 3, clips=True)
    assert [name for name, _ in layer.named_parameters()] == ["linear.weight"]
    x = torch.tensor([1e30, -1e30, 0.0])
    assert torch.equal(layer(x), layer.linear(x))


def test_without_clipping_there_is_only_the_weight():
    assert set(ClippableLinear(3, 4, clips=False).state_dict()) == {"linear.weight"}
