"""One part of `gpu.py` in a process of its own: python gpu_parts.py PART BANDWIDTH REHEARSE, JSON out."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter

import torch
from gpu_checks import all_checks
from gpu_engine import measure_engine
from gpu_weights import RandomWeights, random_pages, step_bytes

from gemma4.config import TextConfig
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.graphs import DecodeRunner, StepBuffers
from gemma4.kernels.cuda.linear import gated_linear, linear
from gemma4.kernels.cuda.packed import PackedMatrix
from gemma4.kernels.cuda.scored import Scored
from gemma4.kernels.cuda.tuning import Tuning

Row = dict[str, object]
REHEARSE = sys.argv[3] == "1"
DEVICE = torch.device("cpu" if REHEARSE else "cuda")
# The interpreter multiplies bfloat16 as if its bits were integers.
DTYPE = torch.float16 if REHEARSE else torch.bfloat16
DEPTH = 40 if REHEARSE else 512
PREFILLS = (20,) if REHEARSE else (512, 8192)
ENGINE_MODEL = "31b"
STREAMS = (1, 2) if REHEARSE else (1, 8)
STEPS, ROUNDS = (1, 1) if REHEARSE else (40, 5)
FLUSH = 1 << 29  # bytes of weights that timed products rotate through: several times any cache


def main() -> None:
    part, bandwidth = sys.argv[1], float(sys.argv[2])
    if not REHEARSE and not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device; --rehearse runs on a CPU and measures nothing")
    with torch.inference_mode():
        for row in rows_of(part, bandwidth):
            print(json.dumps(row), flush=True)


def rows_of(part: str, bandwidth: float) -> Iterator[Row]:
    """The rows of a part."""
    if part == "memory":
        yield from measure_memory()
    elif part == "checks":
        yield from all_checks(DEVICE, DTYPE)
    elif part == "shapes":
        yield from try_tunings()
    elif part == "engine":
        config = PUBLISHED_MODELS[ENGINE_MODEL].text
        config = _shrunk(config) if REHEARSE else config
        maker = RandomWeights(config, DTYPE, DEVICE, quantized=True)
        for row in measure_engine(config, maker, streams=STREAMS, depth=DEPTH, steps=STEPS):
            yield {"model": ENGINE_MODEL, "quant": "q4_0", **row}
    else:
        for quantized in (True, False):
            yield from measure_model(part, bandwidth, quantized=quantized)


def seconds(action: Callable[[], object], times: int) -> float:
    """Median over rounds of one of `times` calls in turn; the first round, which compiles, does not count."""
    action()
    found = []
    for _ in range(ROUNDS):
        _wait()
        started = perf_counter()
        for _ in range(times):
            action()
        _wait()
        found.append((perf_counter() - started) / times)
    return median(found)


def measure_memory() -> Iterator[Row]:
    """Copying, reading alone, and the speed of the tensor cores."""
    count = 1 << (12 if REHEARSE else 32)
    source = torch.empty(count, dtype=torch.int8, device=DEVICE).random_()
    target = torch.empty_like(source)
    took = seconds(lambda: target.copy_(source), 5)
    yield {"what": "copy", "bytes_per_second": 2 * count / took, **_device()}
    words = source.view(torch.int64)
    took = seconds(lambda: words.amax(), 5)
    yield {"what": "read", "bytes_per_second": count / took}
    size = 64 if REHEARSE else 8192
    a = torch.randn(size, size, device=DEVICE).to(DTYPE)
    took = seconds(lambda: a @ a, 5)
    yield {"what": "matmul", "flops_per_second": 2 * size**3 / took}


def try_tunings() -> Iterator[Row]:
    """Products of 31B with one row of x: bytes a second of the matrix, default and best of others."""
    shapes = [
        ("qkv", 16384, 5376),
        ("output", 5376, 8192),
        ("gate_up", 43008, 5376),
        ("down", 5376, 21504),
    ]
    if REHEARSE:
        shapes = [("output", 64, 256), ("gate_up", 128, 128)]
    for quantized in (True, False):
        for name, rows, columns in shapes:
            yield _try_shape(name, rows, columns, quantized)


def _try_shape(name: str, rows: int, columns: int, quantized: bool) -> Row:
    maker = RandomWeights(PUBLISHED_MODELS["31b"].text, DTYPE, DEVICE, quantized=quantized)
    copies = [maker.matrix(rows, columns)]
    size = copies[0].num_bytes if isinstance(copies[0], PackedMatrix) else copies[0].nbytes
    while not REHEARSE and len(copies) * size < FLUSH:
        copies.append(maker.matrix(rows, columns))
    x = torch.randn(1, columns, device=DEVICE).to(DTYPE)
    product = gated_linear if name == "gate_up" else linear
    found = {}
    for tuning in _tunings(quantized):

        def all_copies(tuning: Tuning = tuning) -> None:
            for weight in copies:
                product(x, weight, tuning)

        found[tuning] = len(copies) * size / seconds(_recorded(all_copies), 4)
    best = max(found, key=lambda tuning: found[tuning])
    return {
        "product": name,
        "weights": "q4_0" if quantized else "bf16",
        "default": found[Tuning()],
        "best": found[best],
        "by": f"programs={best.programs} stages={best.packed_stages if quantized else best.dense_stages}"
        f" columns={best.dense_columns}",
    }


def _tunings(quantized: bool) -> list[Tuning]:
    base = Tuning()
    counts = (base.programs,) if REHEARSE else (528, 1056, base.programs, 2112, 4224)
    if quantized:
        return [replace(base, programs=n, packed_stages=s) for n in counts for s in (2, 3, 4, 6, 8)]
    return [
        replace(base, programs=n, dense_stages=s, dense_columns=c)
        for n in counts
        for s, c in ((3, 128), (4, 128), (4, 64), (6, 64), (8, 64), (3, 256))
    ]


def measure_model(name: str, bandwidth: float, *, quantized: bool) -> Iterator[Row]:
    """Decode and prefill of a model with random weights."""
    config = _shrunk(PUBLISHED_MODELS[name].text) if REHEARSE else PUBLISHED_MODELS[name].text
    maker = RandomWeights(config, DTYPE, DEVICE, quantized=quantized)
    weights, table = maker.decoder(), maker.per_layer_table()
    tokens = max(DEPTH + STEPS * (ROUNDS + 2), *PREFILLS)
    keys, values, tables = random_pages(config, max(STREAMS), tokens, DTYPE, DEVICE)
    model = CudaDecoder(config, weights, keys, values)
    kind = {"model": name, "quant": "q4_0" if quantized else "bf16"}
    for streams in STREAMS:
        took = _time_decode(model, tables, table, streams)
        read = step_bytes(config, weights, streams, DEPTH)
        row: Row = {**kind, "metric": f"decode_{streams}", "ours": streams / took, "ms": took * 1e3}
        row["gigabytes"] = read / 1e9
        if bandwidth:
            row |= {"peer": "bandwidth limit", "theirs": streams * bandwidth / read}
            row |= {"ratio": read / bandwidth / took}
        yield row
    for length in PREFILLS:
        ids = torch.randint(0, config.vocab_size, (length,), device=DEVICE)
        took = seconds(lambda ids=ids: _prefill(model, ids, tables, table), 1)
        yield {**kind, "metric": f"prefill_{length}", "ours": length / took, "ms": took * 1e3}
    if DEVICE.type == "cuda":
        yield {**kind, "metric": "peak_gigabytes", "ours": torch.cuda.max_memory_allocated() / 1e9}


def _time_decode(
    model: CudaDecoder, tables: list[torch.Tensor], table: torch.Tensor | None, streams: int
) -> float:
    def step(buffers: StepBuffers) -> Scored:
        tokens = None if table is None else table[buffers.ids]
        return model.decode(buffers.ids, buffers.positions, buffers.tables, tokens)

    runner = DecodeRunner(
        step,
        table_widths=[part.shape[1] for part in tables],
        per_layer_width=0,
        dtype=DTYPE,
        device=DEVICE,
        sizes=(streams,),
    )
    ids = torch.randint(0, model.config.vocab_size, (streams,), device=DEVICE)
    positions = torch.full((streams,), DEPTH, dtype=torch.int32, device=DEVICE)
    rows = [part[:streams] for part in tables]
    return seconds(lambda: runner.run(ids, positions, rows), STEPS)


def _prefill(
    model: CudaDecoder, ids: torch.Tensor, tables: list[torch.Tensor], table: torch.Tensor | None
) -> Scored:
    return model.prefill(
        model.embed(ids),
        torch.arange(len(ids), device=DEVICE),
        (len(ids),),
        torch.tensor([len(ids) - 1], device=DEVICE),
        [part[:1] for part in tables],
        per_layer_tokens=None if table is None else table[ids],
    )


def _recorded(action: Callable[[], None]) -> Callable[[], object]:
    """The action as one launch of a graph, where there are graphs."""
    action()
    if DEVICE.type != "cuda":
        return action
    _wait()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        action()
    return graph.replay


def _shrunk(config: TextConfig) -> TextConfig:
    """The same parts, small enough for the interpreter; kinds and ratios of heads stay."""
    share = config.num_heads // 4
    return replace(
        config,
        vocab_size=64,
        per_layer_vocab_size=64 if config.per_layer_dim else 0,
        per_layer_dim=32 if config.per_layer_dim else 0,
        hidden_size=64,
        intermediate_size=64,
        layer_kinds=config.layer_kinds[-2:] * (2 if config.num_kv_shared_layers else 1),
        num_kv_shared_layers=2 if config.num_kv_shared_layers else 0,
        num_heads=4,
        num_kv_heads=max(1, config.num_kv_heads // share),
        num_full_kv_heads=1,
        head_dim=32,
        full_head_dim=64,
        sliding_window=16,
        moe=replace(config.moe, num_experts=6, top_k=2, intermediate_size=32)
        if config.moe
        else None,
    )


def _device() -> Row:
    import triton

    name = "cpu" if REHEARSE else torch.cuda.get_device_name()
    return {"device": name, "torch": torch.__version__, "triton": triton.__version__}


def _wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
