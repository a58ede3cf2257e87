"""Sampling settings in the words of several servers."""

from typing import Any

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.sampling import SamplingFields


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, {}),
        ({"temperature": 0, "seed": 3, "user": "x"}, {"temperature": 0, "seed": 3}),
        ({"top_k": -1}, {"top_k": 0}),
        ({"max_tokens": -1}, {}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"stop": "a"}, {"stop": ("a",)}),
        ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"stop": []}, {}),
        ({"stop": ""}, {}),
        ({"logit_bias": {"5": -100}}, {"logit_bias": {5: -100.0}}),
        ({"presence_penalty": None}, {}),
    ],
)
def test_what_is_given_is_named_as_the_engine_does(
    fields: dict[str, Any], options: dict[str, Any]
) -> None:
    assert SamplingFields(**fields).sampling_options() == options


def test_a_bias_on_no_id() -> None:
    with pytest.raises(RequestError, match="'five', which is no token id"):
        SamplingFields(logit_bias={"five": 1}).sampling_options()
