"""Drawn answers with drafts: the same tokens for a seed, and the distribution of plain sampling.

The target is a table of scores by the last token, small enough to count every answer of three tokens;
the drafter has a table of its own.
"""

import itertools
from collections import Counter
from functools import cache

import pytest
import torch
from speculated import answer_all
from tiny_loaded import engine_prompt, loaded, loaded_drafter
from tiny_media import text_prompt

from gemma4.engine.sampler import Sampler
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.acceptance import accept, count_accepted
from gemma4.engine.speculation.gemma_drafter import GemmaDrafter
from gemma4.errors import VerificationError
from gemma4.ops.sampling import candidates, penalize

SIZE, LENGTH, START = 4, 3, 0
_random = torch.Generator().manual_seed(5)
TARGET = torch.randn(SIZE, SIZE, generator=_random)
DRAFTER = TARGET + 0.7 * torch.randn(SIZE, SIZE, generator=_random)
SETTINGS = {
    "plain": {},
    "filters": {"temperature": 1.4, "top_k": 3, "top_p": 0.85},
    "min_p": {"temperature": 1.2, "min_p": 0.1},
    "penalties": {
        "repetition_penalty": 1.5,
        "presence_penalty": 0.8,
        "frequency_penalty": 0.4,
        "logit_bias": {1: 0.5},
        "suppress_ids": (2,),
    },
}


class NeverTwice:
    """Forbids the token that was just chosen."""

    period = None

    def __init__(self) -> None:
        self._last = START

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        """See `Constraint`."""
        return logits.index_fill(0, torch.tensor([self._last]), -torch.inf)

    def accept(self, token: int) -> None:
        """See `Constraint`."""
        self._last = token


def answer(
    seed: int, settings: dict[str, object], drafted: int, *, constrained: bool = False
) -> tuple[tuple[int, ...], int]:
    """Three tokens with drafts of so many, and how many drafted ones were right."""
    sampler = Sampler(
        Sampling(seed=seed, **settings),
        prompt_ids=torch.tensor([START]),
        vocab_size=SIZE,
        constraint=NeverTwice() if constrained else None,
    )
    ids, right = [START], 0
    while len(ids) <= LENGTH:
        draft: list[int] = []
        for ahead in range(drafted):
            draft.append(sampler.guess(DRAFTER[(ids[-1:] + draft)[-1]], ahead))
        rows = TARGET[torch.tensor([ids[-1], *draft])]
        chosen = [choice.id for choice in accept(sampler.choose, rows, draft)]
        right += count_accepted(chosen, draft)
        ids += chosen
    return tuple(ids[1 : LENGTH + 1]), right


def probability(ids: tuple[int, ...], settings: dict[str, object], *, constrained: bool) -> float:
    """What plain sampling gives this answer, by the definition of its settings."""
    sampling, seen, counts, total = Sampling(**settings), [START], torch.zeros(SIZE), 1.0
    for token in ids:
        generated = counts.nonzero().flatten()
        logits = penalize(
            TARGET[seen[-1]],
            seen=torch.tensor(sorted(set(seen))),
            generated=generated,
            counts=counts[generated],
            repetition=sampling.repetition_penalty,
            presence=sampling.presence_penalty,
            frequency=sampling.frequency_penalty,
        )
        for biased, value in sampling.logit_bias.items():
            logits[biased] += value
        logits[list(sampling.suppress_ids)] = -torch.inf
        if constrained:
            logits[seen[-1]] = -torch.inf
        found, chances = candidates(
            logits,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
        )
        total *= float(chances[found == token].sum())
        seen.append(token)
        counts[token] += 1
    return total


def p_value(found: Counter[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """Of a chi-square test; cells that expect fewer than five are counted as one."""
    few = [ids for ids, count in expected.items() if count < 5]
    cells = [(found[ids], count) for ids, count in expected.items() if count >= 5]
    cells.append((sum(found[ids] for ids in few), sum(expected[ids] for ids in few)))
    cells = [cell for cell in cells if cell[1] > 0]
    statistic = sum((seen - count) ** 2 / count for seen, count in cells)
    half = torch.tensor([(len(cells) - 1) / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


@pytest.mark.parametrize(
    ("name", "constrained"),
    [*((name, False) for name in SETTINGS), ("plain", True), ("penalties", True)],
)
def test_the_distribution_is_that_of_plain_sampling(name: str, constrained: bool) -> None:
    """1,200 answers with drafts of two against the exact chance of each of 64: p above 0.001."""
    settings, count = SETTINGS[name], 1200
    pairs = [answer(seed, settings, 2, constrained=constrained) for seed in range(count)]
    found = Counter(ids for ids, _ in pairs)
    expected = {
        ids: count * probability(ids, settings, constrained=constrained)
        for ids in itertools.product(range(SIZE), repeat=LENGTH)
    }
    assert sum(expected.values()) == pytest.approx(count, rel=1e-4)
    assert all(expected[ids] > 0 for ids in found)
    assert p_value(found, expected) > 1e-3
    assert sum(right for _, right in pairs) > count / 2  # drafts did take part


def test_the_chi_square_test_sees_a_wrong_distribution() -> None:
    """What comes if a drafted token is believed: the drafter's choice instead of the target's."""
    count = 1200

    def believed(seed: int) -> tuple[int, ...]:
        sampler = Sampler(Sampling(seed=seed), prompt_ids=torch.tensor([START]), vocab_size=SIZE)
        ids = [START]
        for _ in range(LENGTH):
            ids.append(sampler.choose(DRAFTER[ids[-1]]).id)
        return tuple(ids[1:])

    found = Counter(believed(seed) for seed in range(count))
    expected = {
        ids: count * probability(ids, {}, constrained=False)
        for ids in itertools.product(range(SIZE), repeat=LENGTH)
    }
    assert p_value(found, expected) < 1e-6


@pytest.mark.parametrize("name", list(SETTINGS))
def test_a_seed_gives_the_same_tokens_whatever_is_drafted(name: str) -> None:
    for seed in range(60):
        answers = {answer(seed, SETTINGS[name], drafted)[0] for drafted in range(4)}
        assert len(answers) == 1


@cache
def drawn(drafter: str | None, seed: int) -> tuple[list[int], int]:
    """An answer of the tiny E-series model with everything on, and how many tokens were drafted."""
    model = loaded("e_series")
    start = engine_prompt(model, text_prompt(13, seed=4))
    settings = Sampling(
        temperature=0.7,
        top_k=20,
        top_p=0.95,
        repetition_penalty=1.1,
        presence_penalty=0.3,
        seed=seed,
        max_tokens=40,
        logprobs=2,
    )
    source = None if drafter is None else GemmaDrafter(loaded_drafter(drafter), model)
    [found] = answer_all(model, [start], [settings], source)
    assert all(choice.logprob is not None and len(choice.top) == 2 for choice in found.choices)
    return found.ids, 0 if found.report is None else found.report.drafted


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_model_draws_the_same_with_its_drafter(seed: int) -> None:
    plain, none = drawn(None, seed)
    drafted, some = drawn("drafter_ordered", seed)
    assert plain == drafted
    assert none == 0 < some


def test_log_probabilities_are_those_of_plain_decoding() -> None:
    """float32, exact: rows of a table do not depend on their neighbours."""

    def choices(draft: tuple[int, ...]) -> list[object]:
        sampler = Sampler(
            Sampling(temperature=0.0, logprobs=2), prompt_ids=torch.tensor([START]), vocab_size=SIZE
        )
        found, last = [], START
        while len(found) < 3:
            rows = TARGET[torch.tensor([last, *draft])]
            found += accept(sampler.choose, rows, draft)
            last = found[-1].id
        return found[:3]

    plain = choices(())
    right = tuple(choice.id for choice in plain[:2])
    assert choices(right) == plain


def test_a_caller_that_stops_asking_leaves_the_sampler_where_it_is() -> None:
    settings = Sampling(temperature=0.0, presence_penalty=2.0)
    sampler = Sampler(settings, prompt_ids=torch.tensor([START]), vocab_size=SIZE)
    rows = torch.tensor([[0.0, 1.0, 0.0, 0.0]] * 3)
    steps = accept(sampler.choose, rows, (1, 0))
    assert next(steps).id == 1
    steps.close()
    level = torch.tensor([0.5, 1.0, 0.0, 0.0])
    assert sampler.choose(level).id == 0  # 1 was counted once, and nothing else


def test_scores_that_are_no_numbers_stop_behind_what_was_accepted() -> None:
    sampler = Sampler(Sampling(temperature=0.0), prompt_ids=torch.tensor([0]), vocab_size=SIZE)
    rows = torch.stack((torch.eye(SIZE)[2], torch.full((SIZE,), torch.nan)))
    steps = accept(sampler.choose, rows, (2,))
    assert next(steps).id == 2
    with pytest.raises(VerificationError, match="not numbers"):
        next(steps)


@pytest.mark.parametrize(
    ("chosen", "draft", "count"),
    [([5], (), 0), ([5], (6, 7), 0), ([6, 7, 1], (6, 7), 2), ([6, 8], (6, 7), 1), ([6], (6, 7), 1)],
)
def test_accepted_tokens_are_counted(chosen: list[int], draft: tuple[int, ...], count: int) -> None:
    assert count_accepted(chosen, draft) == count
