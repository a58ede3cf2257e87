"""What `llm.benchmark` counts and computes, under a clock of our own. Speeds themselves are not tested."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from native_models import random_model
from tiny_chat import tiny_chat_directory

from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.errors import ContextError, InputError
from gemma4.kernels.native import Native, find_native
from gemma4.llm.benchmark import (
    Bandwidth,
    Benchmark,
    DecoderMatrix,
    Driver,
    Kind,
    Measurement,
    PeakMemory,
    Plan,
    bytes_of_pass,
    find_commit,
    find_matrices,
    measure_bandwidth,
    private_bytes,
)
from gemma4.llm.benchmark.bandwidth import GAP, LEAST, find_stretches
from gemma4.llm.benchmark.matrices import bytes_by_encoding
from gemma4.llm.benchmark.measurement import Round
from gemma4.llm.benchmark.plan import random_prompt
from gemma4.llm.llm import LLM
from gemma4.llm.load import load
from gemma4.quant import FORMATS, BlockMatrix, PackedLinear


class TickingClock:
    """Half a second later at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


@cache
def tiny(context: int = 1024, streams: int = 2) -> LLM:
    return load(tiny_chat_directory(), context=context, max_requests=streams, drafter=None)


def native() -> Native:
    found = find_native(num_threads=1)
    assert isinstance(found, Native)
    return found


# exact in float64: halves of a second, powers of two
def test_figures_follow_from_tokens_and_the_clock() -> None:
    plan = Plan(prompt=64, steps=4, depths=(0,), streams=(1, 2), checked=(4,), rounds=3)
    benchmark = Benchmark(tiny(), plan, clock=TickingClock())
    prefill, one, two, verify = benchmark.run()
    assert prefill.speeds == (128.0, 128.0, 128.0)
    assert prefill.first_token_seconds == 0.5
    assert prefill.weights_per_second is None
    assert one.tokens_per_second == 4 / 0.5
    assert two.tokens_per_second == 8 / 0.5
    assert one.pass_seconds == two.pass_seconds == 0.5 / 4
    assert one.weights_per_second == one.pass_bytes / 0.125
    assert one.bandwidth_use(Bandwidth(memory=one.pass_bytes * 16)) == {
        "weights": None,
        "memory": 0.5,
    }
    assert verify.pass_in_steps == 1.0
    assert verify.tokens_per_second == 8 * 4 / 0.5
    assert benchmark.measured == [prefill, one, two, verify]


def test_a_prompt_behind_a_depth_counts_only_what_is_read() -> None:
    plan = Plan(prompt=64, steps=0, depths=(256,), rounds=2)
    (prefill,) = Benchmark(tiny(), plan, clock=TickingClock()).run()
    assert [one.num_tokens for one in prefill.rounds] == [64, 64]
    assert [one.passes for one in prefill.rounds] == [1, 1]


def test_medians_are_of_the_rounds() -> None:
    rounds = tuple(Round(seconds=seconds, num_tokens=8, passes=4) for seconds in (1.0, 8.0, 2.0))
    measured = Measurement(
        kind=Kind.DECODE, tokens=4, depth=0, streams=2, rounds=rounds, pass_bytes=100
    )
    assert measured.tokens_per_second == 4.0
    assert measured.pass_seconds == 0.5
    assert measured.weights_per_second == 200.0


def test_the_round_before_the_others_is_told_and_not_counted() -> None:
    told: list[tuple[str, int]] = []
    plan = Plan(prompt=32, steps=0, rounds=2)
    benchmark = Benchmark(
        tiny(), plan, on_round=lambda job, number: told.append((job.kind, number))
    )
    (prefill,) = benchmark.run()
    assert told == [("prefill", 0), ("prefill", 1), ("prefill", 2)]
    assert len(prefill.rounds) == 2


def test_an_interrupted_measurement_keeps_its_whole_rounds() -> None:
    def interrupt(_job: object, number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    benchmark = Benchmark(tiny(), Plan(prompt=32, rounds=5), on_round=interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(benchmark.run())
    assert [len(measured.rounds) for measured in benchmark.measured] == [2]


def test_the_context_of_a_plan_is_that_of_one_stream() -> None:
    """So many tokens for each of the streams are what all of them need."""
    plan = Plan(prompt=64, steps=16, depths=(100,), streams=(1, 4), rounds=1)
    assert plan.context < 2 * Plan(prompt=0, steps=16, depths=(100,), streams=(1,)).context
    llm = tiny(context=plan.context, streams=4)
    assert (llm.info.context, llm.info.kv_tokens) == (plan.context, 4 * plan.context)
    *_, four = Benchmark(llm, plan, clock=TickingClock()).run()
    assert four.tokens_per_second == 4 * 16 / 0.5


def test_what_a_model_does_not_hold_is_refused() -> None:
    plan = Plan(depths=(2000,))
    with pytest.raises(ContextError, match=r"a depth of 2000 .* the model holds 1024") as caught:
        Benchmark(tiny(), plan)
    assert (caught.value.needed, caught.value.limit) == (plan.context, 1024)
    with pytest.raises(InputError, match=r"concurrency 3 was asked for .* 2 requests at once"):
        Benchmark(tiny(), Plan(prompt=8, steps=4, streams=(3,)))


def test_streams_that_cannot_run_together_are_no_measurement() -> None:
    engine = open_engine(random_model("12b"), Limits(context=256), num_pages=(8, 8))
    driver = Driver(engine=engine)
    prompts = [random_prompt(0, 200, 512, seed=seed) for seed in (1, 2)]
    with pytest.raises(InputError, match="2 streams behind 200 tokens made 4 tokens in 4 steps"):
        driver.time_steps(prompts, 4)


def test_drafts_are_exchanged_only_while_nothing_runs() -> None:
    driver = Driver(engine=tiny().streams.engine)
    request = driver.submit([2, 5, 6], 4)
    with pytest.raises(AssertionError, match="drafts of running requests would be forgotten"):
        driver.engine.use_drafting(None)
    driver.drop([request])


def test_checking_passes_read_as_many_rows_as_asked_for() -> None:
    engine = open_engine(random_model("12b"), Limits(context=256, max_requests=1))
    timed = Driver(engine=engine, clock=TickingClock()).time_checks([2, 5, 6], 4, 5, [7, 8, 9])
    assert (timed.passes, timed.num_tokens, timed.step_seconds) == (5, 20, 0.5)
    assert engine.is_idle


def test_native_kernels_say_where_the_time_went() -> None:
    engine = open_engine(random_model("e2b"), Limits(context=256, max_requests=1), kernels=native())
    timed = Driver(engine=engine).time_steps([[2, 5, 6]], 4)
    assert {"linear", "attend"} <= timed.profile.keys()
    assert 0 < sum(timed.profile.values()) <= timed.seconds
    measured = Measurement(
        kind=Kind.DECODE, tokens=4, depth=0, streams=1, rounds=(timed, timed), pass_bytes=0
    )
    # a pass of four, in two equal rounds; float64 sums in another order
    assert sum(measured.profile.values()) == pytest.approx(timed.seconds / 4, rel=1e-9)
    assert measured.profile["linear"] == pytest.approx(timed.profile["linear"] / 4, rel=1e-9)
    assert list(measured.profile)[-1] == "outside"


def matrix_values(model: torch.nn.Module, *, without: tuple[str, ...]) -> int:
    return sum(
        value.numel()
        for name, value in model.named_parameters()
        if value.dim() >= 2 and not any(part in name for part in without)
    )


def test_a_token_reads_every_matrix_and_one_row_of_the_table() -> None:
    decoder = random_model("e2b").decoder
    matrices = find_matrices(decoder)
    whole = 4 * matrix_values(decoder, without=("embed_tokens_per_layer",))
    row = 4 * decoder.embed_tokens_per_layer.weight.shape[1]
    assert bytes_of_pass(matrices, 1) == whole + row
    assert bytes_of_pass(matrices, 8) == whole + 8 * row
    assert bytes_by_encoding(matrices) == {"F32": whole + row}


def test_a_token_reads_the_experts_that_it_chooses() -> None:
    decoder = random_model("26b-a4b").decoder
    matrices = find_matrices(decoder)
    dense = 4 * matrix_values(decoder, without=("experts.",))
    experts = 4 * matrix_values(decoder, without=()) - dense
    # 3 of 16 are chosen; two tokens read 1 − (13/16)² of them. Whole bytes.
    assert bytes_of_pass(matrices, 1) == round(dense + experts * 3 / 16)
    assert bytes_of_pass(matrices, 2) == round(dense + experts * (1 - (13 / 16) ** 2))


def test_packed_matrices_count_as_they_are_packed() -> None:
    model = random_model("12b").decoder
    raw = np.zeros((64, FORMATS["Q4_0"].row_bytes(96)), np.uint8)
    packed = PackedLinear(BlockMatrix(format=FORMATS["Q4_0"], raw=raw, columns=96))
    before, plain = bytes_of_pass(find_matrices(model), 1), model.layers[0].mlp.down_proj
    model.layers[0].mlp.down_proj = packed
    try:
        assert plain.weight.shape == (64, 96)
        assert bytes_of_pass(find_matrices(model), 1) == before - 64 * 96 * 4 + 64 * 54
    finally:
        model.layers[0].mlp.down_proj = plain


def test_matrices_that_lie_together_are_read_as_one_stretch() -> None:
    def at(address: int, size: int) -> DecoderMatrix:
        return DecoderMatrix(encoding="F32", num_bytes=size, address=address)

    far = 100 * LEAST
    matrices = [at(far, LEAST - 1), at(64 + LEAST + GAP, LEAST), at(64, LEAST), at(0, LEAST)]
    assert find_stretches(matrices) == [(64, 2 * LEAST + GAP)]


def test_bandwidth_is_read_from_the_bytes_that_are_named() -> None:
    read = native().module.read_bandwidth
    values = np.ones(1 << 15, np.uint64)
    assert read(1, values.ctypes.data + 3, values.nbytes - 3) > 0
    assert read(1, values.ctypes.data, 60) == 0  # not a whole cache line
    weights = np.ones(LEAST // 8 + 8, np.uint64)
    matrix = DecoderMatrix(encoding="F32", num_bytes=weights.nbytes, address=weights.ctypes.data)
    found = measure_bandwidth([matrix], threads=1)
    assert found.weights is not None
    assert found.memory is not None
    assert found.weights > 0 < found.memory
    assert found.measured_bytes == weights.nbytes


def test_the_most_private_memory_is_remembered(tmp_path: Path) -> None:
    sizes: Iterator[int | None] = iter([5, None, 9, 7])
    peak = PeakMemory(lambda: next(sizes))
    for seen in (5, 5, 9, 9):
        peak.look()
        assert peak.num_bytes == seen
    assert private_bytes(tmp_path) is None


def test_memory_is_watched_while_something_runs() -> None:
    size, seen = 1, threading.Event()

    def read() -> int:
        if size > 1:
            seen.set()
        return size

    peak = PeakMemory(read)
    with peak.watching():
        size = 100
        assert seen.wait(10)
        size = 1
    assert peak.num_bytes == 100


def test_prompts_share_what_lies_in_front_and_nothing_else() -> None:
    one, two = (random_prompt(50, 30, 10_000, seed=seed) for seed in (1, 2))
    assert len(one) == len(two) == 80
    assert one[:50] == two[:50]
    assert one[50:] != two[50:]
    assert len(random_prompt(0, 30, 10_000, seed=1)) == 30


def test_a_package_without_a_source_tree_has_no_commit(tmp_path: Path) -> None:
    assert find_commit(tmp_path) is None
