"""Local attention of the audio tower, float32."""

import math

import pytest
import torch

from gemma4.ops.conformer_attention import (
    local_attention,
    relative_positions,
    scale_keys,
    scale_queries,
)

CHUNK = 4
CAP = 50.0


def _inputs(tokens):
    generator = torch.Generator().manual_seed(tokens)
    query, key, value = torch.randn(3, tokens, 2, 6, generator=generator)
    relative = torch.randn(CHUNK + 1, 2, 6, generator=generator)
    return query, key, value, relative, torch.ones(tokens, dtype=torch.bool)


def _attend(query, key, value, relative, mask):
    return local_attention(
        query, key, value, relative, mask, chunk=CHUNK, logit_cap=CAP, invalid_logit=-1e9
    )


def _plainly(query, key, value, relative, mask):
    """The definition, one query and head at a time."""
    out = torch.empty_like(value)
    for at in range(query.shape[0]):
        seen = [k for k in range(max(0, at - CHUNK + 1), at + 1) if mask[k]]
        for head in range(query.shape[1]):
            q = query[at, head]
            logits = [q @ (key[k, head] + relative[CHUNK - (at - k), head]) for k in seen]
            weights = (CAP * torch.tanh(torch.stack(logits) / CAP)).softmax(0)
            out[at, head] = weights @ value[seen, head]
    return out


@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 11, 16])
def test_blocks_give_what_the_definition_gives(tokens):
    inputs = _inputs(tokens)
    torch.testing.assert_close(_attend(*inputs), _plainly(*inputs), rtol=1e-5, atol=1e-6)


def test_padding_keys_are_not_seen():
    query, key, value, relative, mask = _inputs(11)
    mask[[2, 9, 10]] = False
    found, expected = (f(query, key, value, relative, mask) for f in (_attend, _plainly))
    torch.testing.assert_close(found[:9], expected[:9], rtol=1e-5, atol=1e-6)


def test_a_query_reaches_back_over_as_many_keys_as_a_chunk():
    query, key, value, relative, mask = _inputs(11)
    before = _attend(query, key, value, relative, mask)
    value[3] += 1.0
    changed = (_attend(query, key, value, relative, mask) != before).flatten(1).any(dim=1)
    assert changed.nonzero().squeeze(-1).tolist() == [3, 4, 5, 6]


def test_logits_are_capped():
    """One key far above the others wins by no more than e^(2·cap)."""
    query, key = torch.full((2, 1, 1), 1e6), torch.tensor([1.0, -1.0]).view(2, 1, 1)
    value = torch.tensor([1.0, 0.0]).view(2, 1, 1)
    found = local_attention(
        query,
        key,
        value,
        torch.zeros(CHUNK + 1, 1, 1),
        torch.ones(2, dtype=torch.bool),
        chunk=CHUNK,
        logit_cap=0.5,
        invalid_logit=-1e9,
    )
    assert found[1].item() == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-6)


def test_relative_positions_are_sines_then_cosines_from_far_to_near():
    table = relative_positions(4, 2, torch.device("cpu"))
    expected = [[f(d * t) for f in (math.sin, math.cos) for t in (1, 1e-4)] for d in (2, 1, 0)]
    torch.testing.assert_close(table, torch.tensor(expected), rtol=1e-6, atol=1e-7)


def test_scales_are_one_at_a_softplus_of_zero():
    """ln 2 cancels in the query, leaving H^-1/2; the key's factor is log₂(1 + e)."""
    ones = torch.ones(1, 1, 16, dtype=torch.bfloat16)
    query, key = scale_queries(ones, torch.zeros(16, dtype=torch.bfloat16)), scale_keys(ones)
    assert query.dtype is key.dtype is torch.float32
    torch.testing.assert_close(query, torch.full_like(query, 0.25), rtol=1e-6, atol=0)
    torch.testing.assert_close(key, torch.full_like(key, math.log2(1 + math.e)), rtol=1e-6, atol=0)
