"""The dtype that quantized weights are expanded to."""

import pytest

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.fit.counts import count_resident_values
from gemma4.fit.expansion import expanded_dtype


@pytest.mark.parametrize(
    ("values", "available", "expected"),
    [(10, 80, "float32"), (10, 79, "bfloat16"), (0, 0, "float32"), (1, 0, "bfloat16")],
)
def test_float32_may_take_half_of_the_memory(values: int, available: int, expected: str) -> None:
    assert expanded_dtype(values, available) == expected


def test_the_table_on_disk_does_not_count_and_the_towers_only_if_wanted() -> None:
    model = PUBLISHED_MODELS["e2b"]
    text, towers = 402_653_184 + 1_877_105_955, 168_544_704 + 307_184_384
    assert count_resident_values(model) == text + towers
    assert count_resident_values(model, media=False) == text
