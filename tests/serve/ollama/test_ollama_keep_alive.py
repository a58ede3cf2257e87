"""Durations as Ollama's clients write them."""

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.ollama.keep_alive import AS_IT_IS, read_keep_alive


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, AS_IT_IS), (0, 0), ("0", 0), (90, 90), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400),
     ("300ms", 0.3), ("24h0m0s", 86400), (-1, None), ("-1", None), ("-1m", None), ("10", 10)],
)  # fmt: skip
def test_a_duration(value: float | str | None, seconds: float | None) -> None:
    assert read_keep_alive(value) == seconds


@pytest.mark.parametrize("value", ["soon", "", "5 m", "5x", "m", "nan", float("nan")])
def test_what_is_none(value: float | str) -> None:
    with pytest.raises(RequestError, match="keep_alive"):
        read_keep_alive(value)
