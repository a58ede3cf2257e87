"""What a caller may ask of generation. Values are checked here, once, with the limit in the message."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import SamplingError

_WHOLE = frozenset({"top_k", "seed", "max_tokens", "logprobs"})
_OPTIONAL = frozenset({"seed", "max_tokens", "logprobs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Settings of one request; temperature 0 is greedy.

    Attributes:
        top_k: 0 keeps all. top_p: 1 keeps all. min_p: 0 keeps all.
        repetition_penalty: divides positive and multiplies negative logits of tokens already seen,
            prompt included; 1 does nothing.
        presence_penalty, frequency_penalty: subtracted once, or once for each time, from generated tokens.
        stop: strings that end the answer and are left out of it.
        stop_ids: ids that end the answer, beside the model's own.
        logprobs: how many alternatives to report for each token; None reports nothing.
        loop_guard: end an answer that repeats itself without end, with finish reason `loop`.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    suppress_ids: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    max_tokens: int | None = None
    logprobs: int | None = None
    loop_guard: bool = True

    def __post_init__(self) -> None:
        """Check every kind and range.

        Raises:
            SamplingError: names the setting, its value and the range.
        """
        ranges: tuple[tuple[str, object, float, float], ...] = (
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_k", self.top_k, 0, 2**31),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 1e-3, 100.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("seed", self.seed, -(2**63), 2**64 - 1),
            ("max_tokens", self.max_tokens, 0, 2**31),
            ("logprobs", self.logprobs, 0, 100),
        )
        for name, value, low, high in ranges:
            if value is not None or name not in _OPTIONAL:
                _check_number(name, value, low, high, whole=name in _WHOLE)
        for token, bias in self.logit_bias.items():
            _check_ids("logit_bias", (token,))
            _check_number(f"logit_bias[{token}]", bias, -100.0, 100.0)
        _check_ids("suppress_ids", self.suppress_ids)
        _check_ids("stop_ids", self.stop_ids)
        _check_stop(self.stop)


def _check_number(
    name: str, value: object, low: float, high: float, *, whole: bool = False
) -> None:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        sort = "whole number" if whole else "number"
        raise SamplingError(f"{name}={value!r} is no {sort}; give {low:g} to {high:g}")
    if not low <= value <= high:  # NaN fails too
        raise SamplingError(f"{name}={value} is out of range; give {low:g} to {high:g}")


def _check_ids(name: str, ids: object) -> None:
    if not isinstance(ids, tuple | list) or not all(isinstance(id, int) for id in ids):
        raise SamplingError(f"{name}={ids!r} is no list of token ids; give whole numbers from 0")


def _check_stop(stop: object) -> None:
    if not isinstance(stop, tuple | list) or not all(isinstance(text, str) for text in stop):
        raise SamplingError(f"stop={stop!r} is no list of strings; give several, or one in a list")
    if not all(stop):
        raise SamplingError(
            "stop holds an empty string, which would end every answer; leave it out"
        )
