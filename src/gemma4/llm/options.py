"""Settings of one request as keyword arguments: what is not given comes from the checkpoint."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

from ..config.generation import GenerationDefaults
from ..engine.sampling import Sampling
from ..errors import SamplingError

SEED_BITS = 32  # short enough to be typed again


class SamplingOptions(TypedDict, total=False):
    """The fields of `Sampling`."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    seed: int | None
    logit_bias: Mapping[int, float]
    suppress_ids: tuple[int, ...]
    stop: tuple[str, ...]
    stop_ids: tuple[int, ...]
    max_tokens: int | None
    logprobs: int | None
    loop_guard: bool


def effective(defaults: Sampling, options: Mapping[str, Any]) -> Sampling:
    """The checkpoint's settings with the caller's put over them; a seed is drawn where none is given.

    The seed stands in the answer, so that every answer can be had again.

    Raises:
        SamplingError: an option is unknown or out of range.
    """
    unknown = sorted(set(options) - set(SamplingOptions.__annotations__))
    if unknown:
        known = ", ".join(SamplingOptions.__annotations__)
        raise SamplingError(f"unknown option {unknown[0]!r}; known are {known}")
    sampling = replace(defaults, **options)
    if sampling.seed is None and sampling.temperature > 0.0:
        return replace(sampling, seed=secrets.randbits(SEED_BITS))
    return sampling


def recommended(defaults: GenerationDefaults) -> tuple[Sampling, tuple[str, ...]]:
    """What a checkpoint recommends, and all notes on it; a setting it leaves out is neutral.

    `do_sample: false` is greedy whatever the other settings say. Where a checkpoint says nothing of
    sampling at all, what Google publishes for every Gemma 3 and 4 stands in: drawing from the whole
    vocabulary would spoil the answers.
    """
    if defaults.do_sample is None:
        sampling = Sampling(
            temperature=1.0, top_k=64, top_p=0.95, suppress_ids=defaults.suppress_ids
        )
        return sampling, (
            *defaults.notes,
            "the checkpoint recommends no sampling; Gemma's own is used: temperature 1, top-k 64, "
            "top-p 0.95",
        )
    if defaults.do_sample is False:
        return Sampling(temperature=0.0, suppress_ids=defaults.suppress_ids), defaults.notes
    given = {
        "temperature": defaults.temperature,
        "top_k": defaults.top_k,
        "top_p": defaults.top_p,
        "min_p": defaults.min_p,
        "repetition_penalty": defaults.repetition_penalty,
        "max_tokens": defaults.max_new_tokens,
    }
    known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return Sampling(suppress_ids=defaults.suppress_ids, **known), defaults.notes
