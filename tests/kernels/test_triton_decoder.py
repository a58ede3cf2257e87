"""The GPU's pass, with every kernel in its place, against the readable decoder on small models."""

import pytest
import torch
from torch import Tensor
from triton_models import expanded, fused, quantize, random_state, readable, small_config

from gemma4.config import TextConfig
from gemma4.errors import CheckpointError
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.decoder_weights import decoder_weights
from gemma4.kernels.cuda.packed import Weight
from gemma4.model.batch import Batch
from gemma4.model.decoder import Decoder
from gemma4.model.kv import PassKV

FORMS = ["e_series", "moe"]  # between them every part of every size


def per_layer_tokens(config: TextConfig, state: dict[str, Weight], ids: Tensor) -> Tensor | None:
    if not config.per_layer_dim:
        return None
    table = state["embed_tokens_per_layer.weight"]
    assert isinstance(table, Tensor)
    return table[ids]


def reference(model: Decoder, ids: Tensor, spans: Tensor | None = None) -> Tensor:
    """Logits of every position of one prompt."""
    batch = Batch(
        ids=ids,
        positions=torch.arange(len(ids)),
        lengths=(len(ids),),
        logit_rows=torch.arange(len(ids)),
        kv=PassKV(model.specs),
        spans=spans,
    )
    return model.logits(model(batch))


def run(
    model: CudaDecoder,
    tables: list[Tensor],
    state: dict[str, Weight],
    prompts: list[Tensor],
    steps: int,
) -> list[Tensor]:
    """Prompts in two chunks, then `steps` tokens one by one: logits of each request's last places."""
    ends = [len(prompt) - steps for prompt in prompts]
    logits = torch.empty(0)
    for cut in ((0, 5), (5, None)):
        parts = [p[cut[0] : cut[1] or end] for p, end in zip(prompts, ends, strict=True)]
        lengths = tuple(len(part) for part in parts)
        ids = torch.cat(parts)
        positions = torch.cat([torch.arange(cut[0], cut[0] + n) for n in lengths])
        wanted = torch.tensor(lengths).cumsum(0) - 1 if cut[1] is None else torch.empty(0).long()
        logits = model.prefill(
            model.embed(ids),
            positions,
            lengths,
            wanted,
            tables,
            per_layer_tokens=per_layer_tokens(model.config, state, ids),
        ).logits
    found = [[row] for row in logits]
    for step in range(steps):
        ids = torch.stack([p[end + step] for p, end in zip(prompts, ends, strict=True)])
        ids = torch.cat((ids, ids.new_zeros(1)))  # and a row that stands for nobody
        positions = torch.tensor([end + step for end in ends] + [-1], dtype=torch.int32)
        padded = [torch.cat((table, table.new_full((1, table.shape[1]), -1))) for table in tables]
        tokens = per_layer_tokens(model.config, state, ids)
        logits = model.decode(ids, positions, padded, tokens).logits
        for rows, row in zip(found, logits[:-1], strict=True):
            rows.append(row)
    return [torch.stack(rows) for rows in found]


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("form", FORMS)
def test_plain_weights(form: str) -> None:
    """float32, 1e-5 of the logits' norm."""
    torch.manual_seed(0)
    config = small_config(form)
    state = random_state(config)
    model, tables = fused(config, dict(state), requests=2)
    prompts = [torch.randint(0, 64, (n,)) for n in (34, 7)]
    for prompt, found in zip(prompts, run(model, tables, dict(state), prompts, 1), strict=True):
        expected = reference(readable(config, state), prompt)[-2:]
        assert error(found, expected) < 1e-5


def test_quantized_weights() -> None:
    """Q4_0 in float16: no further from float32 than the readable model in float16 with expanded weights.

    Times 2, for chance; that model's own error is near 2^-7 here.
    """
    torch.manual_seed(1)
    config = small_config("moe")
    state = quantize(random_state(config))
    model, tables = fused(config, state, requests=1)
    prompt = torch.randint(0, 64, (12,))
    (found,) = run(model, tables, state, [prompt], 1)
    weights = expanded(config, state)
    exact = reference(readable(config, weights), prompt)[-2:]
    halved = reference(readable(config, weights).half(), prompt)[-2:]
    assert error(found, exact) < 2 * error(halved, exact)
    assert error(halved, exact) < 2e-2


def test_images_see_themselves_both_ways() -> None:
    """float32, 1e-5."""
    torch.manual_seed(2)
    config = small_config("dense")
    state = random_state(config)
    model, tables = fused(config, dict(state), requests=1)
    ids, spans = torch.randint(0, 64, (21,)), torch.full((21,), -1)
    spans[4:15], spans[15:18] = 0, 1
    found = model.prefill(
        model.embed(ids), torch.arange(21), (21,), torch.arange(21), tables, spans=spans
    )
    expected = reference(readable(config, state), ids, spans)
    assert error(found.logits, expected) < 1e-5
    assert error(found.logits, reference(readable(config, state), ids)) > 1e-3


def test_matrices_of_one_product_have_one_format() -> None:
    config = small_config("dense")
    state: dict[str, Weight] = dict(quantize(random_state(config)))
    state["layers.0.self_attn.k_proj.weight"] = torch.zeros(64, 64).half()
    with pytest.raises(CheckpointError, match=r"2 of 3 matrices.*load all of them expanded"):
        decoder_weights(config, state)
