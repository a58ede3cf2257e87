"""Greedy answers with drafts are those without, on tiny models of every kind. float32, exact ids."""

import random

import pytest
import torch
from speculated import Scripted, answer_all
from tiny_loaded import engine_prompt, loaded, loaded_drafter, logits_of
from tiny_media import prompt, random_audio, random_image, text_prompt
from tiny_models import DRAFTERS, TARGETS

from gemma4.engine.end import End
from gemma4.engine.limits import Limits
from gemma4.engine.loop_guard import LEAST_TOKENS
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.gemma_drafter import GemmaDrafter
from gemma4.engine.speculation.lookup import PromptLookup
from gemma4.engine.speculation.source import Tip
from gemma4.model.gemma4 import Gemma4

LENGTH = 40  # five windows
GREEDY = Sampling(temperature=0.0, max_tokens=LENGTH)


def is_greedy(model: Gemma4, start: Prompt, ids: list[int]) -> bool:
    """One pass over prompt and answer has the answer's ids as its likeliest."""
    count = len(ids)
    grown = Prompt(
        ids=torch.cat((start.ids, torch.tensor(ids))),
        soft_rows=start.soft_rows,
        soft_tokens=start.soft_tokens,
        spans=None if start.spans is None else torch.cat((start.spans, torch.full((count,), -1))),
    )
    rows = logits_of(model, grown)[-count - 1 : -1]
    return rows.argmax(-1).tolist() == ids


def oracle(answer: list[int], start: int, *, right: float, seed: int = 0) -> Scripted:
    """Knows the answer; each guess is right with this chance."""
    chance = random.Random(seed)

    def guess(tip: Tip, count: int) -> list[int]:
        done = tip.ids.shape[0] - start
        known = answer[done : done + count]
        return [token if chance.random() < right else (token + 1) % 400 for token in known]

    return Scripted(guess)


@pytest.mark.parametrize("kind", list(DRAFTERS))
def test_the_drafters_of_each_head(kind: str) -> None:
    model = loaded(DRAFTERS[kind])
    start = engine_prompt(model, text_prompt(13, seed=4))
    source = GemmaDrafter(loaded_drafter(kind), model)
    [answer] = answer_all(model, [start], [GREEDY], source)
    assert is_greedy(model, start, answer.ids)
    assert answer.report is not None
    assert answer.report.drafted >= 20


@pytest.mark.parametrize("kind", [*TARGETS, "gemma3_text"])
@pytest.mark.parametrize("right", [1.0, 0.8, 0.0])
def test_drafts_right_and_wrong(kind: str, right: float) -> None:
    model = loaded(kind)
    start = engine_prompt(model, text_prompt(13, seed=4))
    [plain] = answer_all(model, [start], [GREEDY], None)
    assert is_greedy(model, start, plain.ids)
    assert plain.report is None
    source = oracle(plain.ids, 13, right=right)
    [answer] = answer_all(model, [start], [GREEDY], source)
    assert answer.ids == plain.ids
    report = answer.report
    assert report is not None
    assert report.tokens == LENGTH
    match right:
        case 1.0:
            assert report.accepted == report.drafted == LENGTH - report.passes
            assert report.passes <= 8  # three plain ones, then up to nine tokens at a time
        case 0.0:
            assert report.accepted == 0 < report.drafted
        case _:
            assert 0 < report.accepted < report.drafted


@pytest.mark.parametrize("kind", ["e_series", "unified"])
def test_answers_behind_media(kind: str) -> None:
    model = loaded(kind)
    case = prompt(5, random_image(kind, columns=4, rows=2), random_audio(kind, frames=30), 9, 10)
    start = engine_prompt(model, case)
    drafter = next(name for name, target in DRAFTERS.items() if target == kind)
    [answer] = answer_all(model, [start], [GREEDY], GemmaDrafter(loaded_drafter(drafter), model))
    assert is_greedy(model, start, answer.ids)


def test_lookup_finds_what_repeats_itself() -> None:
    """A bias leaves few words, so that the answer of a random model comes round again."""
    model = loaded("dense31")
    start = engine_prompt(model, text_prompt(13, seed=4))
    settings = Sampling(temperature=0.0, max_tokens=120, logit_bias=dict.fromkeys((7, 8, 9), 30.0))
    [plain] = answer_all(model, [start], [settings], None)
    [answer] = answer_all(model, [start], [settings], PromptLookup())
    assert answer.ids == plain.ids
    report = answer.report
    assert report is not None
    assert report.accepted > 60
    assert report.acceptance is not None
    assert report.acceptance > 0.25  # rows cost next to nothing, so little chance is enough
    assert report.gain is not None
    assert report.gain > 2.0
    assert (report.source, report.tokens, report.off_reason) == ("lookup", 120, None)


@pytest.mark.parametrize("kind", ["e_series", "moe"])
@pytest.mark.parametrize("pages", [(12, 12), (9, 4)])
def test_requests_with_drafts_of_different_worth(kind: str, pages: tuple[int, int]) -> None:
    """In one batch, and where pages are so few that requests are interrupted and go on."""
    model = loaded(kind)
    starts = [engine_prompt(model, text_prompt(n, seed=n)) for n in (40, 5, 30)]
    settings = [Sampling(temperature=0.0, max_tokens=n) for n in (50, 40, 37)]
    alone = [
        answer_all(model, [start], [sampling], None)[0].ids
        for start, sampling in zip(starts, settings, strict=True)
    ]
    oracles = [
        oracle(ids, start.ids.numel(), right=right)
        for ids, start, right in zip(alone, starts, (1.0, 0.6, 0.0), strict=True)
    ]
    firsts = [int(start.ids[1]) for start in starts]

    def guess(tip: Tip, count: int) -> list[int]:
        return list(oracles[firsts.index(int(tip.ids[1]))].guess(tip, count))

    answers = answer_all(
        model,
        starts,
        settings,
        Scripted(guess),
        limits=Limits(context=128, prefill_chunk=32),
        num_pages=pages,
    )
    assert [answer.ids for answer in answers] == alone
    shares = [answer.report.acceptance for answer in answers if answer.report is not None]
    assert any(answer.preemptions for answer in answers) == (pages == (9, 4))
    if pages == (12, 12):
        assert shares[0] == 1.0 > shares[1] > shares[2] == 0.0


@pytest.mark.parametrize("place", range(3, 12))
def test_a_stop_id_inside_a_draft_ends_the_answer(place: int) -> None:
    model = loaded("moe")
    start = engine_prompt(model, text_prompt(13, seed=4))
    [plain] = answer_all(model, [start], [GREEDY], None)
    stop = plain.ids[place]
    source = oracle(plain.ids, 13, right=1.0)
    [answer] = answer_all(model, [start], [GREEDY], source, stop_ids=frozenset({stop}))
    assert answer.ids == plain.ids[: plain.ids.index(stop)]
    assert answer.end == End("stop", stop_id=stop)


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_limit_inside_a_draft_is_kept(limit: int) -> None:
    model = loaded("moe")
    start = engine_prompt(model, text_prompt(13, seed=4))
    [plain] = answer_all(model, [start], [GREEDY], None)
    source = oracle(plain.ids, 13, right=1.0)
    few = Sampling(temperature=0.0, max_tokens=limit)
    [answer] = answer_all(model, [start], [few], source)
    assert (answer.ids, answer.end) == (plain.ids[:limit], End("length"))


def test_a_loop_is_seen_inside_drafts() -> None:
    model = loaded("gemma3_text")
    start = engine_prompt(model, text_prompt(5))
    settings = Sampling(temperature=0.0, logit_bias={7: 100.0}, max_tokens=2000)
    limits = Limits(context=4096)
    [answer] = answer_all(model, [start], [settings], PromptLookup(), limits=limits)
    assert (answer.ids, answer.end) == ([7] * LEAST_TOKENS, End("loop", period=1))
    assert answer.report is not None
    assert answer.report.passes < 200
