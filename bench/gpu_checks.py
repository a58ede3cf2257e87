"""Every GPU kernel against its readable counterpart, as rows {check, error, bound}.

The error is ‖found − expected‖ / ‖expected‖ with everything expected in float32 from the same inputs. What
comes out in float32 differs by the order of sums (bound 1e-4); what comes out in 16 bits by one rounding,
or a few where a kernel hands rounded numbers to the next (bound 1e-2 in bfloat16).
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from gpu_weights import random_pages, random_q4
from torch import Tensor

from gemma4.config import LayerKind, LayerSpec, MoeConfig, RopeConfig, TextConfig
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.kernels.cuda.attention import (
    attend_many,
    attend_one,
    query_runs,
    tokens_of_a_run,
    visible_range,
)
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.decoder_weights import decoder_weights
from gemma4.kernels.cuda.experts import group_by_expert, route
from gemma4.kernels.cuda.graphs import DecodeRunner
from gemma4.kernels.cuda.linear import expand, gated_linear, linear, routed_linear
from gemma4.kernels.cuda.packed import PackedMatrix, Weight, pack_q8_0, pack_w4a16
from gemma4.kernels.cuda.rows import (
    LayerPages,
    add_norm,
    join_experts,
    layer_pages,
    norm,
    rope_and_write,
)
from gemma4.kernels.cuda.tuning import Tuning
from gemma4.model.batch import Batch
from gemma4.model.decoder import Decoder
from gemma4.model.kv import PassKV
from gemma4.ops import moe
from gemma4.ops.attention import attend
from gemma4.ops.norm import rms_norm
from gemma4.ops.rope import cos_sin, inverse_frequencies, rotate
from gemma4.quant import PackedWeight

SUMS, ROUNDED = 1e-4, 1e-2
EPS = 1e-6
TUNING = Tuning()
Row = dict[str, object]


def all_checks(device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """All rows; one whose error is out of bounds, or no number, has the key `failure`."""
    torch.manual_seed(0)
    small = device.type == "cpu"
    torch.set_default_device(device)
    for check in (_linears, _experts, _rows, _heads, _attention, _decoders):
        for name, error, bound in check(dtype, small):
            row: Row = {"check": name, "error": error, "bound": bound}
            yield row if error <= bound else {**row, "failure": f"{name}: error {error:.3g}"}


Results = Iterator[tuple[str, float, float]]


def _error(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def _values(weight: Weight) -> Tensor:
    return weight.dequantize() if isinstance(weight, PackedMatrix) else weight.float()


def _matrices(rows: int, columns: int, dtype: torch.dtype) -> dict[str, Weight]:
    device = torch.get_default_device()
    words = torch.randint(-(2**31), 2**31, (rows, columns // 8), dtype=torch.int32)
    scale = (torch.randn(rows, columns // 128) / columns**0.5).bfloat16()
    blocks = torch.randint(0, 256, (rows, columns // 32, 34), dtype=torch.uint8)
    scales = (torch.randn(rows, columns // 32) / columns**0.5 / 70).half()
    blocks[..., :2] = scales.view(torch.uint8).view(rows, -1, 2)
    return {
        "bf16": torch.randn(rows, columns).to(dtype) / columns**0.5,
        "q4_0": random_q4(rows, columns, device),
        "w4a16": pack_w4a16(PackedWeight(columns=columns, packed=words, scale=scale)),
        "q8_0": pack_q8_0(blocks.flatten(1)),
    }


def _linears(dtype: torch.dtype, small: bool) -> Results:
    rows, columns = (64, 128) if small else (4096, 5376)
    for name, weight in _matrices(rows, columns, dtype).items():
        whole = _values(weight)
        for tokens in (1, 8, 16, 40) if small else (1, 2, 8, 16, 17, 100, 600, 1100):
            x = torch.randn(tokens, columns).to(dtype)
            expected = x.float() @ whole.T
            bound = SUMS if tokens <= 16 else ROUNDED
            yield (
                f"linear {name} {tokens}",
                _error(linear(x, weight, TUNING).sum(0), expected),
                bound,
            )
            gate, up = expected.chunk(2, dim=-1)
            expected = F.gelu(gate, approximate="tanh") * up
            found = gated_linear(x, weight, TUNING)
            yield f"gated {name} {tokens}", _error(found, expected), ROUNDED
        if isinstance(weight, PackedMatrix):
            yield f"expand {name}", _error(expand(weight, dtype), whole), ROUNDED


def _experts(dtype: torch.dtype, small: bool) -> Results:
    width, inner, count, top_k = (64, 32, 6, 2) if small else (2816, 704, 128, 8)
    device = torch.get_default_device()
    plain = (
        torch.randn(count, 2 * inner, width).to(dtype) / width**0.5,
        torch.randn(count, width, inner).to(dtype) / inner**0.5,
    )
    packed = (
        random_q4(2 * inner, width, device, matrices=count),
        random_q4(width, inner, device, matrices=count),
    )
    scale = torch.rand(count) + 0.5
    for name, (gate_up, down) in {"bf16": plain, "q4_0": packed}.items():
        up = _values(gate_up).view(count, 2 * inner, width)
        back = _values(down).view(count, width, inner)
        for tokens in (1, 3) if small else (1, 8, 16, 300):
            x, logits = torch.randn(tokens, width).to(dtype), torch.randn(1, tokens, count)
            shares, chosen = route(logits, scale, top_k)
            wanted, which = moe.route(logits[0], scale, top_k)
            yield f"route {tokens}", _error(shares, wanted) + float((chosen != which).sum()), SUMS
            tiles = group_by_expert(chosen, count)
            middle = routed_linear(x, gate_up, tiles, TUNING, x_divisor=top_k, gated=True)
            outs = routed_linear(middle, down, tiles, TUNING, x_divisor=1, gated=False)
            found = (outs.view(tokens, top_k, width).float() * shares[..., None]).sum(1)
            expected = moe.run_experts(x.float(), wanted, which, up, back)
            yield f"experts {name} {tokens}", _error(found, expected), ROUNDED


def _rows(dtype: torch.dtype, small: bool) -> Results:
    for width in (96,) if small else (1536, 2816, 5376):
        x, branch = torch.randn(3, width).to(dtype), torch.randn(8, 3, width)
        weights, scalar = (torch.rand(4, width) + 0.5).to(dtype), torch.rand(1).to(dtype)
        out, normed = add_norm(x, branch, weights[0], scalar, weights[1:], EPS)
        expected = (x.float() + rms_norm(branch.sum(0), weights[0].float(), EPS)) * scalar.float()
        yield f"add_norm {width}", _error(out, expected), ROUNDED
        expected = torch.stack([rms_norm(out.float(), w.float(), EPS) for w in weights[1:]])
        yield f"next norms {width}", _error(normed, expected), ROUNDED
        expected = rms_norm(x.float(), weights[0].float(), EPS)
        yield f"norm {width}", _error(norm(x, weights[0], EPS), expected), ROUNDED
        sparse, shares = torch.randn(24, width).to(dtype), torch.rand(3, 8)
        mixed = (sparse.view(3, 8, width).float() * shares[..., None]).sum(1)
        expected = rms_norm(branch.sum(0), weights[1].float(), EPS)
        expected += rms_norm(mixed, weights[2].float(), EPS)
        found = join_experts(branch, weights[1], sparse, shares, weights[2], EPS)
        yield f"join_experts {width}", _error(found[0], expected), SUMS


def _family_specs(small: bool) -> list[LayerSpec]:
    """One layer of every shape of attention in the family."""
    found = {}
    for name in ("e2b", "31b") if small else ("e2b", "e4b", "12b", "26b-a4b", "31b"):
        for spec in PUBLISHED_MODELS[name].text.plan_layers():
            key = (spec.num_heads, spec.num_kv_heads, spec.head_dim, spec.window)
            found.setdefault(key, replace(spec, attention_scale=spec.head_dim**-0.5))
    return list(found.values())


def _heads(dtype: torch.dtype, small: bool) -> Results:
    for spec in _family_specs(small):
        owned = spec.num_kv_heads * (1 if spec.keys_are_values else 2)
        name = f"{spec.num_heads}:{spec.num_kv_heads} of {spec.head_dim}"
        projected = torch.randn(2, 3, (spec.num_heads + owned) * spec.head_dim)
        weights = (torch.rand(2, spec.head_dim) + 0.5).to(dtype)
        positions = torch.tensor([5, 70, 33], dtype=torch.int32)
        requests = torch.tensor([0, 0, 1], dtype=torch.int32)
        table = torch.tensor([[2, 0, 1], [4, 3, 5]], dtype=torch.int32)
        keys = torch.zeros(6, 1, spec.num_kv_heads, spec.head_dim, 32, dtype=dtype)
        values = torch.zeros(6, 1, spec.num_kv_heads, 32, spec.head_dim, dtype=dtype)
        frequencies = inverse_frequencies(spec.rope, spec.head_dim).to(positions.device)
        turn = cos_sin(positions, frequencies, dtype)
        query = rope_and_write(
            spec, projected, weights[0], weights[1], turn, positions, requests,
            layer_pages(keys, values, 0, table), EPS,
        )  # fmt: skip
        heads = projected.sum(0).view(3, -1, spec.head_dim)
        turn = (turn[0].float(), turn[1].float())
        count = spec.num_heads
        expected = rotate(rms_norm(heads[:, :count], weights[0].float(), EPS), *turn)
        yield f"query {name}", _error(query, expected), ROUNDED
        raw = heads[:, count : count + spec.num_kv_heads]
        value = raw if spec.keys_are_values else heads[:, count + spec.num_kv_heads :]
        key = rotate(rms_norm(raw, weights[1].float(), EPS), *turn)
        pages, slots = torch.tensor([2, 1, 3]), torch.tensor([5, 6, 1])
        yield f"key {name}", _error(keys[pages, 0, :, :, slots], key), ROUNDED
        value = rms_norm(value, None, EPS)
        yield f"value {name}", _error(values[pages, 0, :, slots], value), ROUNDED


def _attention(dtype: torch.dtype, small: bool) -> Results:
    lengths = (40, 5) if small else (3000, 33, 1)
    for spec in _family_specs(small):
        name = f"{spec.num_heads}:{spec.num_kv_heads} of {spec.head_dim}"
        keys, values, pages = _drawn_pages(spec, lengths, dtype)
        query = torch.randn(len(lengths), spec.num_heads, spec.head_dim).to(dtype)
        positions = torch.tensor([n - 1 for n in lengths], dtype=torch.int32)
        found = attend_one(spec, query, pages, positions, TUNING)
        parts = [
            _attended(spec, query[i : i + 1], keys[i], values[i], [n - 1], None)
            for i, n in enumerate(lengths)
        ]
        yield f"attend_one {name}", _error(found, torch.cat(parts)), ROUNDED
        for spans in (None, "image") if spec.is_sliding else (None,):
            chunks = tuple(min(n, 300) for n in lengths)
            rows = [list(range(n - c, n)) for n, c in zip(lengths, chunks, strict=True)]
            marks = [torch.full((c,), -1) for c in chunks]
            if spans:
                marks[0][3:290] = 0
            query = torch.randn(sum(chunks), spec.num_heads, spec.head_dim).to(dtype)
            packed = torch.cat([torch.tensor(r) for r in rows])
            low, high = visible_range(
                packed, spec.window, torch.cat(marks) if spans else None, chunks
            )
            runs = query_runs(chunks, tokens_of_a_run(spec), query.device)
            found = attend_many(spec, query, pages, low, high, runs)
            parts = [
                _attended(spec, q, keys[i], values[i], rows[i], marks[i] if spans else None)
                for i, q in enumerate(query.split(chunks))
            ]
            yield f"attend_many {name} {spans or ''}", _error(found, torch.cat(parts)), ROUNDED


def _drawn_pages(
    spec: LayerSpec, lengths: tuple[int, ...], dtype: torch.dtype
) -> tuple[list[Tensor], list[Tensor], LayerPages]:
    """Keys and values [S, K, H] of requests, and the same in scattered pages; unwritten lanes are NaN."""
    blocks = -(-max(lengths) // 32)
    table = torch.randperm(blocks * len(lengths)).int().view(len(lengths), blocks)
    shape = (blocks * len(lengths), 1, spec.num_kv_heads)
    keys = torch.full((*shape, spec.head_dim, 32), float("nan"), dtype=dtype)
    values = torch.full((*shape, 32, spec.head_dim), float("nan"), dtype=dtype)
    drawn: tuple[list[Tensor], list[Tensor]] = ([], [])
    for request, length in enumerate(lengths):
        at = torch.arange(length)
        pages, slots = table[request, at // 32].long(), at % 32
        for part in drawn:
            part.append(torch.randn(length, spec.num_kv_heads, spec.head_dim).to(dtype))
        keys[pages, 0, :, :, slots] = drawn[0][-1]
        values[pages, 0, :, slots] = drawn[1][-1]
    return *drawn, layer_pages(keys, values, 0, table)


def _attended(
    spec: LayerSpec,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rows: list[int],
    spans: Tensor | None,
) -> Tensor:
    """`ops.attention.attend` in float32."""
    key_spans = None
    if spans is not None:
        key_spans = torch.cat((spans.new_full((len(key) - len(spans),), -1), spans))
    return attend(
        query.float(), key.float(), value.float(),
        query_positions=torch.tensor(rows), first_key=0, window=spec.window,
        scale=spec.attention_scale, query_spans=spans, key_spans=key_spans,
    )  # fmt: skip


def _decoders(dtype: torch.dtype, small: bool) -> Results:
    """Whole passes over small models: prefill, a step, and the same step recorded."""
    for form in ("e_series", "moe"):
        config = _small_config(form)
        state = Decoder(config).state_dict()
        state = {
            name: (
                torch.randn(part.shape) / part.shape[-1] ** 0.5
                if part.ndim > 1
                else torch.rand(part.shape) + 0.5
            ).to(dtype)
            for name, part in state.items()
        }
        readable = Decoder(config)
        readable.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        length = 12 if small else 70
        ids = torch.randint(0, config.vocab_size, (length + 1,))
        batch = Batch(
            ids=ids,
            positions=torch.arange(length + 1),
            lengths=(length + 1,),
            logit_rows=torch.tensor([length - 1, length]),
            kv=PassKV(readable.specs),
        )
        expected = readable.logits(readable(batch))
        keys, values, tables = random_pages(config, 1, 128, dtype, ids.device)
        model = CudaDecoder(config, decoder_weights(config, state), keys, values)
        table = state.get("embed_tokens_per_layer.weight")
        first = model.prefill(
            model.embed(ids[:-1]), torch.arange(length), (length,), torch.tensor([length - 1]), tables,
            per_layer_tokens=None if table is None else table[ids[:-1]],
        )  # fmt: skip
        yield f"prefill {form}", _error(first.logits[0], expected[0]), 3 * ROUNDED
        position = torch.tensor([length], dtype=torch.int32)
        tokens = None if table is None else table[ids[-1:]]
        step = model.decode(ids[-1:], position, tables, tokens)
        yield f"decode {form}", _error(step.logits[0], expected[1]), 3 * ROUNDED
        runner = DecodeRunner(
            lambda b, model=model: model.decode(b.ids, b.positions, b.tables, b.per_layer_tokens),
            table_widths=[part.shape[1] for part in tables],
            per_layer_width=0 if table is None else table.shape[1],
            dtype=dtype,
            device=ids.device,
            sizes=(1, 4),
        )
        runner.record()
        recorded = runner.run(ids[-1:], position, tables, tokens)
        yield f"recorded {form}", float((recorded.logits != step.logits).sum()), 0.0


def _small_config(form: str) -> TextConfig:
    """Few narrow layers with the parts of E2B (`e_series`) or of 26B-A4B."""
    e_series = form == "e_series"
    kinds = (LayerKind.SLIDING, LayerKind.FULL)
    return TextConfig(
        vocab_size=512,
        hidden_size=128,
        intermediate_size=256,
        layer_kinds=kinds * 2 if e_series else kinds,
        num_heads=4,
        num_kv_heads=1 if e_series else 2,
        num_full_kv_heads=1,
        head_dim=64,
        full_head_dim=128,
        sliding_window=24,
        max_positions=256,
        rope_sliding=RopeConfig(theta=1e4),
        rope_full=RopeConfig(theta=1e6, rotary_fraction=0.25),
        keys_are_values=not e_series,
        num_kv_shared_layers=2 if e_series else 0,
        double_wide_mlp=e_series,
        per_layer_dim=32 if e_series else 0,
        per_layer_vocab_size=512 if e_series else 0,
        moe=None if e_series else MoeConfig(num_experts=16, top_k=4, intermediate_size=64),
        logit_softcap=30.0,
    )
