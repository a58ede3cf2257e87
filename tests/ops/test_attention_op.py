"""Which keys a query sees, as literal matrices, and attention against a plain sum."""

import pytest
import torch

from gemma4.ops.attention import QUERY_BLOCK, attend, softmax_attention, visible


def rows(mask: torch.Tensor) -> list[str]:
    return ["".join("1" if seen else "." for seen in row) for row in mask.tolist()]


def test_a_causal_mask_sees_the_past_and_itself() -> None:
    positions = torch.arange(4)
    assert rows(visible(positions, positions, None)) == ["1...", "11..", "111.", "1111"]


def test_a_window_counts_the_query_itself() -> None:
    positions = torch.arange(5)
    assert rows(visible(positions, positions, 2)) == ["1....", "11...", ".11..", "..11.", "...11"]


def test_tokens_of_one_image_see_each_other_and_adjacent_images_do_not() -> None:
    positions = torch.arange(7)
    spans = torch.tensor([-1, 0, 0, -1, 1, 1, -1])
    assert rows(visible(positions, positions, None, spans, spans)) == [
        "1......",
        "111....",
        "111....",
        "1111...",
        "111111.",
        "111111.",
        "1111111",
    ]


def test_the_window_bounds_an_image_from_below_only() -> None:
    positions = torch.arange(5)
    spans = torch.tensor([0, 0, 0, 0, -1])
    assert rows(visible(positions, positions, 2, spans, spans)) == [
        "1111.",
        "1111.",
        ".111.",
        "..11.",
        "...11",
    ]


def test_text_outside_images_never_looks_ahead() -> None:
    positions = torch.arange(3)
    spans = torch.tensor([-1, -1, -1])
    assert rows(visible(positions, positions, None, spans, spans)) == ["1..", "11.", "111"]


def plain_attention(query, key, value, mask, scale):
    """Head by head, in float64."""
    out = torch.empty(query.shape, dtype=torch.float64)
    group = query.shape[1] // key.shape[1]
    for head in range(query.shape[1]):
        scores = scale * query[:, head].double() @ key[:, head // group].double().T
        scores = scores.masked_fill(~mask, -torch.inf)
        out[:, head] = scores.softmax(-1) @ value[:, head // group].double()
    return out


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (4, 2), (3, 3)])
def test_query_heads_read_their_own_key_head(heads: int, kv_heads: int) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(5, heads, 8), torch.randn(9, kv_heads, 8)
    value = torch.randn(9, kv_heads, 8)
    mask = visible(torch.arange(4, 9), torch.arange(9), 3)
    ours = softmax_attention(query, key, value, mask, 0.5)
    # float32, 1e-6: one softmax and one product deep
    torch.testing.assert_close(
        ours.double(), plain_attention(query, key, value, mask, 0.5), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("window", [None, 100, 700])
def test_blocks_of_queries_give_what_one_mask_gives(window: int | None) -> None:
    torch.manual_seed(1)
    past, new = 37, 2 * QUERY_BLOCK + 5
    query, key, value = torch.randn(new, 2, 4), torch.randn(past + new, 1, 4), None
    value = torch.randn(past + new, 1, 4)
    positions = torch.arange(past, past + new)
    mask = visible(positions, torch.arange(past + new), window)
    ours = attend(
        query, key, value, query_positions=positions, first_key=0, window=window, scale=1.0
    )
    expected = plain_attention(query, key, value, mask, 1.0)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-6)  # float32


def test_an_image_across_two_blocks_of_queries_is_seen_whole() -> None:
    torch.manual_seed(2)
    total = QUERY_BLOCK + 40
    query, key, value = (torch.randn(total, 1, 4) for _ in range(3))
    positions = torch.arange(total)
    spans = torch.full((total,), -1)
    spans[QUERY_BLOCK - 30 : QUERY_BLOCK + 30] = 0
    ours = attend(
        query,
        key,
        value,
        query_positions=positions,
        first_key=0,
        window=64,
        scale=1.0,
        query_spans=spans,
        key_spans=spans,
    )
    mask = visible(positions, positions, 64, spans, spans)
    expected = plain_attention(query, key, value, mask, 1.0)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-6)  # float32
