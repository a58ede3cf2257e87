"""A job against a machine: the sum, the verdict, and the longest context."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import ConfigError, ContextError
from gemma4.fit.activations import media_activation_bytes, prefill_bytes
from gemma4.fit.estimate import FitReport, Job, estimate_fit
from gemma4.fit.machine import Gpu, Machine
from gemma4.fit.precision import QUANTIZATIONS
from gemma4.fit.weights import estimate_weights

GIB = 2**30
LAPTOP = Machine(total_bytes=16 * GIB, available_bytes=12 * GIB)


def report(
    name: str, quantization: str = "bf16", *, machine: Machine = LAPTOP, **job: object
) -> FitReport:
    chosen = QUANTIZATIONS[quantization]
    config = PUBLISHED_MODELS[name]
    default = Job(run_dtype=chosen.run_dtype or "bfloat16")
    wanted = replace(default, **job)  # type: ignore[arg-type]  # fields of Job
    weights = estimate_weights(config, chosen, "bfloat16")
    return estimate_fit(config, weights, wanted, machine)


def test_the_peak_is_the_sum_of_its_parts() -> None:
    fit = report("e2b", context=8192)
    assert fit.peak_bytes == (
        fit.weights_bytes
        + fit.media_bytes
        + fit.kv_cache_bytes
        + fit.activation_bytes
        + fit.runtime_bytes
    )
    assert fit.disk_bytes == 2 * 2_348_810_240


def test_e2b_fits_a_laptop_and_31b_does_not() -> None:
    assert report("e2b").fits
    assert report("e2b").longest_context == 131_072
    large = report("31b")
    assert not large.fits
    assert large.longest_context == 0


def test_the_longest_context_fits_and_one_more_does_not() -> None:
    machine = Machine(total_bytes=32 * GIB, available_bytes=13 * GIB)
    longest = report("e4b", machine=machine, users=4).longest_context
    assert 0 < longest < 131_072
    assert report("e4b", machine=machine, users=4, context=longest).fits
    assert not report("e4b", machine=machine, users=4, context=longest + 1).fits


def test_without_media_the_towers_take_nothing() -> None:
    text, media = report("e2b", media=False), report("e2b")
    assert text.media_bytes == 0
    assert media.media_bytes == 2 * (168_544_704 + 307_184_384)


def test_the_runtime_without_a_tokenizer_is_smaller() -> None:
    saved = report("e2b").runtime_bytes - report("e2b", tokenizer=False).runtime_bytes
    assert saved == 128 * 2**20


def test_mapped_and_private_bytes_are_the_peak() -> None:
    in_place, expanded = report("31b", "bf16"), report("31b", "q4_0")
    for fit in (in_place, expanded):
        assert fit.peak_bytes == fit.mapped_bytes + fit.private_bytes
        assert fit.private_bytes > (160 + 128 + 208) * 2**20
    assert in_place.mapped_bytes == in_place.weights_bytes + in_place.media_bytes + 96 * 2**20
    assert expanded.mapped_bytes == expanded.media_bytes + 96 * 2**20


def test_building_the_tokenizer_may_take_more_than_a_small_model() -> None:
    fit = report("gemma3:270m", context=512)
    assert fit.private_bytes == (160 + 128 + 208) * 2**20
    assert fit.private_bytes > fit.kv_cache_bytes + fit.activation_bytes + 296 * 2**20
    assert fit.peak_bytes > fit.private_bytes + 96 * 2**20  # weights are read when that is over
    assert fit.peak_bytes < fit.private_bytes + fit.mapped_bytes


def test_a_gpu_is_judged_by_its_own_memory() -> None:
    gpus = (
        Gpu(name="small", total_bytes=8 * GIB, free_bytes=5 * GIB),
        Gpu(name="large", total_bytes=24 * GIB, free_bytes=23 * GIB),
    )
    fit = report("e2b", machine=replace(LAPTOP, gpus=gpus))
    assert [gpu.fits for gpu in fit.gpus] == [False, True]
    assert [gpu.longest_context for gpu in fit.gpus] == [0, 131_072]


@pytest.mark.parametrize("context", [0, -1, 131_073])
def test_an_impossible_context_is_refused(context: int) -> None:
    with pytest.raises(ContextError, match=rf"{context} tokens is not possible; .* 1 to 131072"):
        report("e2b", context=context)


def test_an_impossible_number_of_users_is_refused() -> None:
    with pytest.raises(ContextError, match="0 users is not possible; give 1 or more"):
        report("e2b", users=0)


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ConfigError, match="dtype 'int8' is unknown"):
        report("e2b", run_dtype="int8")


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from([*PUBLISHED_MODELS]),
    context=st.integers(1, 32_767),
    users=st.integers(1, 50),
    number_bytes=st.sampled_from([2, 4]),
)
def test_more_tokens_or_users_never_take_less(
    name: str, context: int, users: int, number_bytes: int
) -> None:
    """The search for the longest context rests on it."""
    text = PUBLISHED_MODELS[name].text
    here = prefill_bytes(text, context=context, number_bytes=number_bytes)
    assert prefill_bytes(text, context=context + 1, number_bytes=number_bytes) >= here
    more = report(name, context=context + 1, users=users).peak_bytes
    assert more >= report(name, context=context, users=users).peak_bytes
    assert report(name, context=context, users=users + 1).peak_bytes >= (
        report(name, context=context, users=users).peak_bytes
    )


def test_larger_images_take_more() -> None:
    config = PUBLISHED_MODELS["31b"]
    small = media_activation_bytes(config, number_bytes=2, soft_tokens=280)
    assert media_activation_bytes(config, number_bytes=2, soft_tokens=1120) == 4 * small


def test_a_text_model_has_no_media_activations() -> None:
    assert media_activation_bytes(PUBLISHED_MODELS["gemma3:270m"], number_bytes=4) == 0
