"""The engine end to end on a GPU: requests in, tokens out, everything between counted."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

import torch
from gpu_weights import RandomWeights

from gemma4.config import TextConfig, plan_kv_groups
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.fit.pages import plan_pages
from gemma4.kernels.cuda import CudaKernels
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.graphs import DecodeRunner
from gemma4.model.cuda import CudaForward
from gemma4.model.paged_kv import PageStorage

Row = dict[str, object]


def measure_engine(
    config: TextConfig, maker: RandomWeights, *, streams: tuple[int, ...], depth: int, steps: int
) -> Iterator[Row]:
    """Time to the first token, and tokens a second behind `depth` tokens, for each number of streams."""
    engine = open_random_engine(config, maker, most=max(streams), length=depth + steps + 2)
    _answer(engine, config.vocab_size, streams[0], depth, steps)  # compiles the prompt's kernels
    for count in streams:
        first, step = _answer(engine, config.vocab_size, count, depth, steps)
        yield {
            "metric": f"engine_{count}",
            "ours": count / step,
            "ms": step * 1e3,
            "first_token_ms": first * 1e3,
        }


def _answer(
    engine: Engine, vocab_size: int, count: int, depth: int, steps: int
) -> tuple[float, float]:
    """Seconds until all of so many requests have a token, and seconds of a step from then on."""
    sampling = Sampling(temperature=0.0, max_tokens=steps + 1, loop_guard=False)
    prompts = [Prompt(ids=torch.randint(0, vocab_size, (depth,))) for _ in range(count)]
    started = perf_counter()
    requests = [engine.submit(engine.prepare(prompt, sampling)) for prompt in prompts]
    while not all(request.num_generated or request.is_over for request in requests):
        _step(engine)
    first = perf_counter() - started
    times = []
    while engine.counters.running == count:
        began = perf_counter()
        _step(engine)
        times.append(perf_counter() - began)
    while not engine.is_idle:
        _step(engine)
    return first, median(times)


def _step(engine: Engine) -> None:
    """One step, ended by the choice of tokens on the host; a failed request fails the part."""
    for update in engine.step():
        if update.error is not None:
            raise update.error


def open_random_engine(
    config: TextConfig, maker: RandomWeights, *, most: int, length: int
) -> Engine:
    """An engine over random weights, with pages for `most` requests of `length` tokens."""
    groups = plan_kv_groups(config.plan_layers())
    limits = Limits(context=length, max_requests=most)
    pages = plan_pages(groups, context=most * (length + 32), max_requests=most)
    storage = PageStorage(groups, pages, dtype=maker.dtype, device=maker.device)
    table = maker.per_layer_table()
    forward = CudaForward(
        config,
        maker.decoder(),
        storage,
        CudaKernels(CudaDecoder, DecodeRunner),
        context=length,
        per_layer_table=None if table is None else lambda ids, dtype: table[ids].to(dtype),
    )
    return Engine(forward, storage, vocab_size=config.vocab_size, limits=limits)
