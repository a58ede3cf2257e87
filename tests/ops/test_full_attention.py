"""Attention without a mask, float32."""

import torch

from gemma4.ops.full_attention import attend_all


def _plainly(query, key, value):
    """The definition, query head n reading kv head n // (N/K)."""
    group = query.shape[-2] // key.shape[-2]
    key, value = (x.repeat_interleave(group, dim=-2) for x in (key, value))
    weights = torch.einsum("pnh,snh->nps", query, key).softmax(dim=-1)
    return torch.einsum("nps,snh->pnh", weights, value)


def _random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + shape[-2]))


def test_one_image_gives_what_the_definition_gives():
    inputs = _random(7, 4, 6), _random(7, 4, 6) + 1, _random(7, 4, 6) - 1
    torch.testing.assert_close(attend_all(*inputs), _plainly(*inputs), rtol=1e-5, atol=1e-6)


def test_images_do_not_see_each_other_and_kv_heads_may_be_shared():
    query, key, value = _random(3, 7, 4, 6), _random(3, 7, 2, 6), _random(3, 7, 2, 6) - 1
    apart = [_plainly(*parts) for parts in zip(query, key, value, strict=True)]
    torch.testing.assert_close(
        attend_all(query, key, value), torch.stack(apart), rtol=1e-5, atol=1e-6
    )
