"""Where drafts come from: look-up against a plain search, Gemma's drafters against the reference."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_loaded import engine_prompt, loaded, loaded_drafter, pages_for
from tiny_media import text_prompt
from tiny_models import DRAFTERS
from tiny_oracle import oracle_drafts

from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.engine.speculation.gemma_drafter import GemmaDrafter, check_pair
from gemma4.engine.speculation.history import History
from gemma4.engine.speculation.lookup import LEAST_MATCH, LONGEST_MATCH, continuation, latest_match
from gemma4.engine.speculation.source import Tip
from gemma4.errors import CheckpointError

SIZES = list(PUBLISHED_DRAFTERS)


def slow_match(ids: list[int]) -> int | None:
    for length in range(LONGEST_MATCH, LEAST_MATCH - 1, -1):
        for end in range(len(ids) - 2, length - 2, -1):
            if ids[end - length + 1 : end + 1] == ids[len(ids) - length :]:
                return end
    return None


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 3), max_size=40))
def test_the_match_is_the_latest_of_the_longest(ids: list[int]) -> None:
    assert latest_match(np.array(ids, dtype=np.int32)) == slow_match(ids)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 2, 3, 4, 9, 1, 2], (3, 4, 9, 1, 2)),
        ([1, 2, 3, 1, 2, 4, 1, 2], (4, 1, 2, 4, 1)),  # the latest match
        ([5, 1, 2, 3, 8, 1, 2, 4, 5, 1, 2], (3, 8, 1, 2, 4)),  # the longer match, though earlier
        ([1, 2, 1, 2], (1, 2, 1, 2, 1)),  # goes round
        ([7, 7, 7], (7, 7, 7, 7, 7)),
        ([1, 2, 3, 3], ()),
        ([1, 2, 3], ()),
        ([], ()),
    ],
)
def test_what_followed_is_copied(ids: list[int], expected: tuple[int, ...]) -> None:
    assert continuation(np.array(ids, dtype=np.int32), 5) == expected


def test_a_search_in_the_longest_context_is_short() -> None:
    """Every id matches every other: the worst there is. 262,144 ids, the best of 3."""
    ids = np.zeros(262_144, dtype=np.int32)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        assert continuation(ids, 4) == (0, 0, 0, 0)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.1


@given(st.lists(st.integers(0, 2**31 - 1), max_size=900), st.lists(st.integers(0, 900)))
def test_a_history_follows_ids_that_grow(ids: list[int], stops: list[int]) -> None:
    history = History()
    for stop in sorted(stops):
        assert history.follow(ids[:stop]).tolist() == ids[:stop]


@pytest.mark.parametrize("counts", [(3, 0, 2), (1, 2, 3), (2, 2, 2)])
@pytest.mark.parametrize("kind", list(DRAFTERS))
@torch.inference_mode()
def test_drafts_of_a_batch_are_those_of_the_reference(
    kind: str, counts: tuple[int, int, int]
) -> None:
    """Three requests with different counts, and a row of the drafter for each token that is asked for.

    What lies behind a request's length is not looked at.
    """
    target = loaded(DRAFTERS[kind])
    source = GemmaDrafter(loaded_drafter(kind), target)
    tips, rows_run = [], 0
    cases = [text_prompt(length, seed=2) for length in (24, 9, 5)]
    for case in cases:
        pages, whole, length = pages_for(target), engine_prompt(target, case), case.ids.numel()
        rows, kv = torch.tensor([length - 1]), pages.begin([length])
        output = target(whole.batch(0, length, kv=kv, logit_rows=rows))
        pages.end([length])
        rubbish = text_prompt(3, seed=9)
        kv = pages.begin([3])
        behind = engine_prompt(target, rubbish).batch(0, 3, kv=kv, logit_rows=torch.arange(3))
        behind.positions.add_(length)
        target(behind)
        token = int(output.logits[0].argmax())
        tips.append(
            Tip(
                ids=np.array([*case.ids.tolist(), token], dtype=np.int32),
                hidden=output.hidden[0],
                kv=kv,
                place=0,
                guess=lambda logits, _ahead: int(logits.argmax()),
            )
        )

    def count_rows(_drafter: object, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal rows_run
        rows_run += inputs[0].shape[0]

    hook = loaded_drafter(kind).register_forward_pre_hook(count_rows)
    drafts = source.propose(tips, counts)
    hook.remove()
    assert rows_run == sum(counts)
    expected = [tuple(oracle_drafts(kind, case, 3)[0]) for case in cases]
    assert drafts == [expected[i][:count] for i, count in enumerate(counts)]
    assert source.propose(tips, (0, 0, 0)) == [(), (), ()]


@pytest.mark.parametrize("drafter", SIZES)
@pytest.mark.parametrize("target", SIZES)
def test_a_published_drafter_fits_its_own_size_alone(drafter: str, target: str) -> None:
    pair = PUBLISHED_DRAFTERS[drafter], PUBLISHED_MODELS[target]
    if drafter == target:
        check_pair(*pair)
        return
    with pytest.raises(
        CheckpointError, match=r"made for .* and this model has .*; take the drafter"
    ):
        check_pair(*pair)
