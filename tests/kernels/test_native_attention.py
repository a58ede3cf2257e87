"""Heads and attention over pages of the native kernels beside `ops`, on keys as they were stored."""

from dataclasses import dataclass

import pytest
import torch
from native_products import instruction_sets, native
from native_steps import run_steps
from torch import Tensor

from gemma4.config import KVGroup, LayerKind, RopeConfig
from gemma4.kernels.native import Native
from gemma4.model.native.layer import STORED
from gemma4.model.page_table import PageTable
from gemma4.model.paged_kv import PageStorage
from gemma4.ops.attention import attend
from gemma4.ops.norm import rms_norm
from gemma4.ops.rope import cos_sin, inverse_frequencies, rotate

EPS, LAYER = 1e-6, 1
RELATIVE = 1e-4
"""Of a head's largest number, float32 beside float64: scores reach a hundred, their last bit is 1e-5."""
# One step of the stored number: where float32 differs in its last bit, rounding may fall either way.
STEPS = {torch.float32: 2e-6, torch.float16: 2**-10, torch.bfloat16: 2**-7, torch.int8: 1 / 127}


@dataclass(frozen=True)
class Heads:
    """The shape of one layer's attention."""

    width: int
    heads: int = 4
    kv_heads: int = 2
    window: int | None = None
    keys_are_values: bool = False
    normalizes_values: bool = True
    scale: float = 1.0
    spans: bool = False


CASES = {
    "sliding": Heads(256, window=40),
    "full": Heads(512, heads=8, kv_heads=1),
    "keys are values": Heads(512, heads=6, kv_heads=2, keys_are_values=True),
    "images": Heads(256, heads=16, kv_heads=8, window=24, spans=True),
    "Gemma 3": Heads(256, heads=4, kv_heads=1, normalizes_values=False, scale=1 / 16),
}
LENGTHS = (75, 1, 40)  # of three requests that are read together


class Layer:
    """Random queries, keys and values of a few requests, and scattered pages full of NaN."""

    def __init__(self, case: Heads, dtype: torch.dtype) -> None:
        self.case = case
        kind = LayerKind.FULL if case.window is None else LayerKind.SLIDING
        group = KVGroup(
            kind=kind,
            layers=(0, LAYER),
            num_kv_heads=case.kv_heads,
            head_dim=case.width,
            window=case.window,
        )
        self.storage = PageStorage((group,), [16], dtype=dtype, device=torch.device("cpu"))
        storage = self.storage
        for buffer in (*storage.keys, *storage.values, *storage.key_scales, *storage.value_scales):
            buffer.fill_(torch.nan if buffer.is_floating_point() else 99)
        generator = torch.Generator().manual_seed(8)
        free = torch.randperm(16, generator=generator).tolist()
        self.tables = [PageTable(1) for _ in LENGTHS]
        for table, length in zip(self.tables, LENGTHS, strict=True):
            table.pages[0].extend(free.pop() for _ in range(-(-length // 32)))
        total, width = sum(LENGTHS), case.width
        self.query = 2 * torch.randn(total, case.heads, width, generator=generator)
        self.key = 2 * torch.randn(total, case.kv_heads, width, generator=generator)
        self.value = torch.randn(total, case.kv_heads, width, generator=generator)
        self.query_norm, self.key_norm = (
            1 + 0.2 * torch.randn(width, generator=generator) for _ in range(2)
        )
        self.positions = torch.cat([torch.arange(length) for length in LENGTHS])
        self.spans = torch.full((total,), -1)
        if case.spans:
            self.spans[10:31], self.spans[31:60] = 0, 1
        rope = RopeConfig(theta=1e4, rotary_fraction=1.0 if case.window else 0.25)
        frequencies = inverse_frequencies(rope, width)
        self.cos, self.sin = cos_sin(self.positions, frequencies, torch.float32)

    def run(self, ours: Native, parts: list[tuple[int, int]]) -> Tensor:
        """The tokens in passes; a part is so many tokens of each request, from a place on in each."""
        out = torch.full_like(self.query, torch.nan)
        for start, count in parts:
            chosen = [
                torch.arange(first + min(start, length), first + min(start + count, length))
                for first, length in zip(self._firsts(), LENGTHS, strict=True)
            ]
            out[torch.cat(chosen)] = self._pass(ours, chosen)
        return out

    def _pass(self, ours: Native, chosen: list[Tensor]) -> Tensor:
        case, module, storage = self.case, ours.module, self.storage
        rows = torch.cat(chosen)
        query, key, value = (part[rows].clone() for part in (self.query, self.key, self.value))
        if case.keys_are_values:
            value.fill_(torch.nan)
        cos, sin = self.cos[rows].contiguous(), self.sin[rows].contiguous()
        out = torch.empty_like(query)
        scales = [part[0].data_ptr() for part in (storage.key_scales, storage.value_scales) if part]
        pages = module.PageLayer(
            keys=storage.keys[0].data_ptr(),
            values=storage.values[0].data_ptr(),
            key_scales=scales[0] if scales else 0,
            value_scales=scales[1] if scales else 0,
            page_step=2 * case.kv_heads,
            row_step=LAYER * case.kv_heads,
            width=case.width,
            stored=getattr(module.Stored, STORED[str(storage.dtype).removeprefix("torch.")]),
        )
        runs, first = [], 0
        for request, part in enumerate(chosen):
            runs += [(request, first, len(part))] if len(part) else []
            first += len(part)
        tensors = {"positions": self.positions[rows]}
        if case.spans:
            tensors["span_ends"] = self._span_ends()[rows]
        run_steps(
            ours,
            lambda program: program.attention(
                num_heads=case.heads,
                num_kv_heads=case.kv_heads,
                width=case.width,
                query=query.data_ptr(),
                key=key.data_ptr(),
                value=value.data_ptr(),
                query_norm=self.query_norm.data_ptr(),
                key_norm=self.key_norm.data_ptr(),
                keys_are_values=case.keys_are_values,
                normalizes_values=case.normalizes_values,
                eps=EPS,
                scale=case.scale,
                cos=cos.data_ptr(),
                sin=sin.data_ptr(),
                layer=pages,
                group=0,
                window=case.window or 0,
                sees_spans=case.spans,
                out=out.data_ptr(),
            ),
            len(rows),
            runs=runs,
            tables=[[table.pages[0].buffer_info()[0] for table in self.tables]],
            **tensors,
        )
        return out

    def wanted_keys(self) -> tuple[Tensor, Tensor]:
        """Keys and values [T, K, H] as `ops` makes them, before they are stored."""
        case = self.case
        key = rotate(rms_norm(self.key, self.key_norm, EPS), self.cos, self.sin)
        value = self.key if case.keys_are_values else self.value
        return key, rms_norm(value, None, EPS) if case.normalizes_values else value

    def stored_keys(self) -> list[tuple[Tensor, Tensor]]:
        """What lies in each request's pages."""
        return [
            tuple(
                part[:length]
                for part in self.storage.read(
                    LAYER, torch.tensor(table.pages[0], dtype=torch.int64), torch.float32
                )
            )
            for table, length in zip(self.tables, LENGTHS, strict=True)
        ]

    def expected(self) -> Tensor:
        """Attention over the stored keys in float64."""
        query = rotate(rms_norm(self.query, self.query_norm, EPS), self.cos, self.sin).double()
        outs = []
        for queries, positions, spans, (key, value) in zip(
            query.split(LENGTHS),
            self.positions.split(LENGTHS),
            self.spans.split(LENGTHS),
            self.stored_keys(),
            strict=True,
        ):
            seen = spans if self.case.spans else None
            outs.append(
                attend(
                    queries,
                    key.double(),
                    value.double(),
                    query_positions=positions,
                    first_key=0,
                    window=self.case.window,
                    scale=self.case.scale,
                    query_spans=seen,
                    key_spans=seen,
                )
            )
        return torch.cat(outs)

    def _firsts(self) -> list[int]:
        return [sum(LENGTHS[:request]) for request in range(len(LENGTHS))]

    def _span_ends(self) -> Tensor:
        ends = torch.zeros_like(self.spans)
        for number in range(int(self.spans.max()) + 1):
            inside = self.spans == number
            ends[inside] = self.positions[inside].max() + 1
        return ends


@pytest.mark.parametrize("dtype", list(STEPS), ids=str)
@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("kernels", instruction_sets())
def test_attention_is_that_of_ops(kernels: str, name: str, dtype: torch.dtype) -> None:
    layer = Layer(CASES[name], dtype)
    got = layer.run(native(kernels), [(0, max(LENGTHS))])
    for stored, wanted in zip(
        map(torch.cat, zip(*layer.stored_keys(), strict=True)), layer.wanted_keys(), strict=True
    ):
        peaks = wanted.abs().amax(-1, keepdim=True) if dtype is torch.int8 else wanted.abs()
        assert bool(((stored - wanted).abs() <= STEPS[dtype] * peaks + 1e-6).all())
    expected = layer.expected()
    error = (got - expected).abs().amax(-1) / expected.abs().amax(-1)
    assert float(error.max()) < RELATIVE


@pytest.mark.parametrize("name", ["sliding", "full", "keys are values"])
@pytest.mark.parametrize("kernels", instruction_sets())
def test_a_row_has_the_same_bits_however_its_prompt_is_cut(kernels: str, name: str) -> None:
    ours = native(kernels)
    whole = Layer(CASES[name], torch.float16).run(ours, [(0, 75)])
    for size in (1, 9, 32):
        parts = [(start, size) for start in range(0, 75, size)]
        assert torch.equal(Layer(CASES[name], torch.float16).run(ours, parts), whole)


@pytest.mark.parametrize("kernels", instruction_sets())
def test_a_layer_reads_keys_that_another_stored(kernels: str) -> None:
    """float32, 1e-4: no key of its own, as in sharing layers."""
    ours, case = native(kernels), CASES["sliding"]
    layer = Layer(case, torch.float32)
    layer.run(ours, [(0, 75)])
    before = [part.clone() for part in (layer.storage.keys[0], layer.storage.values[0])]
    other = Layer(case, torch.float32)
    query, out = other.query.flip(0).contiguous(), torch.empty_like(other.query)
    layer.query = other.query.flip(0).contiguous()
    module = ours.module
    pages = module.PageLayer(
        keys=layer.storage.keys[0].data_ptr(),
        values=layer.storage.values[0].data_ptr(),
        key_scales=0,
        value_scales=0,
        page_step=4,
        row_step=2,
        width=case.width,
        stored=module.Stored.F32,
    )
    run_steps(
        ours,
        lambda program: program.attention(
            num_heads=case.heads,
            num_kv_heads=case.kv_heads,
            width=case.width,
            query=query.data_ptr(),
            key=0,
            value=0,
            query_norm=layer.query_norm.data_ptr(),
            key_norm=0,
            keys_are_values=False,
            normalizes_values=True,
            eps=EPS,
            scale=1.0,
            cos=layer.cos.data_ptr(),
            sin=layer.sin.data_ptr(),
            layer=pages,
            group=0,
            window=case.window,
            sees_spans=False,
            out=out.data_ptr(),
        ),
        sum(LENGTHS),
        runs=[(0, 0, 75), (1, 75, 1), (2, 76, 40)],
        tables=[[table.pages[0].buffer_info()[0] for table in layer.tables]],
        positions=layer.positions,
    )
    expected = layer.expected()
    error = (out - expected).abs().amax(-1) / expected.abs().amax(-1)
    assert float(error.max()) < RELATIVE
    for buffer, kept in zip((layer.storage.keys[0], layer.storage.values[0]), before, strict=True):
        torch.testing.assert_close(buffer, kept, rtol=0, atol=0, equal_nan=True)
