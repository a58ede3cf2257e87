"""The sampler: greedy, seeded, penalised, biased; and settings out of range."""

import pytest
import torch

from gemma4.engine.sampler import Sampler
from gemma4.engine.sampling import Sampling
from gemma4.errors import SamplingError, VerificationError

NO_IDS = torch.tensor([], dtype=torch.int64)


def sampler(prompt: torch.Tensor = NO_IDS, size: int = 8, **settings: object) -> Sampler:
    return Sampler(Sampling(**settings), prompt_ids=prompt, vocab_size=size)


def draw(seed: int | None, count: int = 30) -> list[int]:
    one = sampler(seed=seed, temperature=1.0)
    return [one.choose(torch.zeros(8)).id for _ in range(count)]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert sampler(temperature=0.0).choose(torch.tensor([0.0, 3.0, 1.0])).id == 1


def test_a_seed_repeats_and_another_differs() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)  # 30 draws of 8: equal by chance once in 10^27


def test_draws_follow_the_distribution() -> None:
    one = sampler(seed=0, size=2)
    logits = torch.log(torch.tensor([0.25, 0.75]))
    share = sum(one.choose(logits).id for _ in range(4000)) / 4000
    assert abs(share - 0.75) < 0.03  # 4.4 standard deviations


def test_repetition_counts_the_prompt_and_presence_does_not() -> None:
    prompt, logits = torch.tensor([2]), torch.tensor([0.9, 0.0, 1.0])
    repeated = sampler(prompt, size=3, temperature=0.0, repetition_penalty=2.0)
    assert repeated.choose(logits).id == 0
    present = sampler(prompt, size=3, temperature=0.0, presence_penalty=2.0)
    assert [present.choose(logits).id for _ in range(3)] == [2, 0, 1]


def test_bias_and_suppression_move_the_choice() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0])
    biased = sampler(size=3, temperature=0.0, logit_bias={0: 5.0})
    assert biased.choose(logits).id == 0
    suppressed = sampler(size=3, temperature=0.0, suppress_ids=(2,))
    assert suppressed.choose(logits).id == 1


def test_log_probabilities_are_the_models_own() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.2]))
    choice = sampler(size=3, temperature=0.0, logprobs=2, suppress_ids=(0,)).choose(logits)
    assert choice.id == 1
    assert choice.logprob == pytest.approx(float(logits[1]), abs=1e-6)
    assert [token for token, _ in choice.top] == [0, 1]


def test_scores_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(VerificationError, match=r"NaN.*float32"):
        sampler().choose(torch.full((8,), torch.nan))
    with pytest.raises(VerificationError, match=r"infinite.*float32"):
        sampler().choose(torch.tensor([0.0] * 7 + [torch.inf]))


@pytest.mark.parametrize("temperature", [1e-3, 1e-40, 5e-324])
def test_a_temperature_near_zero_takes_the_likeliest(temperature: float) -> None:
    logits = torch.tensor([-3e4, 0.0, 3e4, 2.9e4])
    assert sampler(size=4, temperature=temperature).choose(logits).id == 2


def test_an_id_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(SamplingError, match="id 99; the vocabulary has 0 to 7"):
        sampler(logit_bias={99: 1.0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, r"temperature=-1.0 is out of range; give 0 to 100"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 1.5}, r"top_p=1.5 is out of range; give 0 to 1"),
        ({"top_k": -1}, "top_k=-1"),
        ({"presence_penalty": 3.0}, "presence_penalty=3.0 is out of range; give -2 to 2"),
        ({"max_tokens": -5}, "max_tokens=-5"),
        ({"logit_bias": {3: 101.0}}, r"logit_bias\[3\]=101.0"),
        ({"stop": ("",)}, "empty string"),
        ({"stop": "END"}, r"stop='END' is no list of strings; give several, or one in a list"),
        ({"stop_ids": 5}, r"stop_ids=5 is no list of token ids"),
        ({"suppress_ids": ("5",)}, r"suppress_ids=\('5',\) is no list of token ids"),
        ({"logit_bias": {"5": 1.0}}, r"logit_bias=\('5',\) is no list of token ids"),
        ({"temperature": None}, r"temperature=None is no number; give 0 to 100"),
        ({"temperature": "0.5"}, r"temperature='0.5' is no number"),
        ({"top_k": 1.5}, r"top_k=1.5 is no whole number"),
        ({"seed": 1.5}, r"seed=1.5 is no whole number"),
        ({"max_tokens": True}, r"max_tokens=True is no whole number"),
    ],
)
def test_settings_out_of_range_name_value_and_limit(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SamplingError, match=message):
        Sampling(**settings)


def test_a_stop_id_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(SamplingError, match="stop_ids names id 8; the vocabulary has 0 to 7"):
        sampler(stop_ids=(8,))


def test_whole_numbers_bias_too_and_suppression_wins() -> None:
    one = sampler(size=3, temperature=0.0, logit_bias={0: 5, 2: 50}, suppress_ids=(2,))
    assert one.choose(torch.tensor([1.0, 2.0, 3.0])).id == 0


def test_penalties_leave_the_scores_they_were_given_alone() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0])
    one = sampler(
        torch.tensor([2]), size=3, temperature=0.0, repetition_penalty=2.0, presence_penalty=1.0,
        logit_bias={1: 9.0},
    )  # fmt: skip
    for _ in range(3):
        one.choose(logits)
        one.guess(logits, 0)
    assert logits.tolist() == [1.0, 2.0, 3.0]
