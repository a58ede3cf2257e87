"""The ordered head of the native kernels beside the module's, over tables of every format."""

import numpy as np
import pytest
import torch
from native_products import FORMAT_NAMES, instruction_sets, multiply, native, random_weight
from native_steps import run_steps

CLUSTERS, TOP, WORDS, WIDTH, TOKENS = 12, 5, 37, 256, 3  # 37 words: no multiple of any tile's rows


@pytest.mark.parametrize("name", [name for name in FORMAT_NAMES if name != "W4A16"])
@pytest.mark.parametrize("kernels", instruction_sets())
def test_words_of_the_best_clusters_are_scored(kernels: str, name: str) -> None:
    """The scores have the bits of a product with the whole table."""
    ours, rng = native(kernels), np.random.default_rng(9)
    generator = torch.Generator().manual_seed(9)
    table = random_weight(ours, name, CLUSTERS * WORDS, WIDTH, rng)
    ordering = torch.randperm(CLUSTERS * WORDS, generator=generator)
    clusters = torch.randn(TOKENS, CLUSTERS, generator=generator)
    clusters[1, 4] = clusters[1, 7] = 9.0  # equal ones: either way, both are among the best
    hidden = torch.randn(TOKENS, WIDTH, generator=generator)
    chosen = torch.empty(TOKENS, TOP, dtype=torch.int32)
    scores = torch.empty(TOKENS, TOP * WORDS)
    logits = torch.full((TOKENS, CLUSTERS * WORDS), torch.nan)
    run_steps(
        ours,
        lambda program: program.ordered_head(
            table=table.matrix,
            ordering=ordering.data_ptr(),
            num_clusters=CLUSTERS,
            top=TOP,
            cluster_scores=clusters.data_ptr(),
            hidden=hidden.data_ptr(),
            chosen=chosen.data_ptr(),
            scores=scores.data_ptr(),
        ),
        TOKENS,
        out=logits,
    )
    best = clusters.topk(TOP, dim=-1)
    assert torch.equal(clusters.gather(1, chosen.long()), best.values)
    looked_at = ordering.view(CLUSTERS, WORDS)[best.indices].flatten(1)
    whole = torch.cat([multiply(ours, [table], row[None])[0] for row in hidden])
    found = whole.gather(1, looked_at)
    least = found.amin(-1, keepdim=True) - 1.0
    assert torch.equal(logits, least.expand_as(whole).scatter(1, looked_at, found))


def test_a_head_that_does_not_divide_is_refused() -> None:
    ours = native("portable")
    table = random_weight(ours, "F32", 40, 32, np.random.default_rng(1))
    program = ours.program()
    with pytest.raises(ValueError, match="40 words cannot look at 2 of 7 clusters"):
        program.ordered_head(table.matrix, 0, 7, 2, 0, 0, 0, 0)
    with pytest.raises(ValueError, match=r"2 x 32 does not fit the kernels: at least 4 rows"):
        program.ordered_head(table.matrix, 0, 20, 2, 0, 0, 0, 0)
