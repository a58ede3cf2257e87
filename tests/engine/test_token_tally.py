"""Which ids were there and how often: against plain counting."""

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from gemma4.engine.token_tally import TokenTally


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 12)))
def test_a_tally_counts(prompt: list[int], answer: list[int]) -> None:
    tally = TokenTally(torch.tensor(prompt))
    for token in answer:
        tally.add(token)
    assert sorted(tally.seen.tolist()) == sorted({*prompt, *answer})
    found = dict(zip(tally.generated.tolist(), tally.counts.tolist(), strict=True))
    assert found == Counter(answer)
    assert len(tally.generated) == len(found)
