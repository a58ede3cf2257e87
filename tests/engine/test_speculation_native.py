"""Drafts on the native programs, whose rows have the same bits in any company: exact ids, drawn ones too."""

import random
from collections.abc import Sequence

import pytest
import torch
from native_models import DRAFTED, random_drafter, random_model
from speculated import Scripted, VirtualTime

from gemma4.config import plan_kv_groups
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.gemma_drafter import GemmaDrafter
from gemma4.engine.speculation.source import Tip
from gemma4.kernels.native import Native, find_native
from gemma4.model.native import NativeDecoder
from gemma4.model.paged_kv import PageStorage

LENGTH = 40


def kernels() -> Native:
    native = find_native(num_threads=1)
    assert isinstance(native, Native), native
    return native


def answer(
    size: str, sampling: Sampling, drafting: VirtualTime | None, *, often_right: bool = True
) -> list[int]:
    """Ids of an answer; `often_right`: some of its drafts are right."""
    model, native = random_model(size), kernels()
    groups = plan_kv_groups(model.decoder.specs)
    storage = PageStorage(groups, [16] * len(groups), dtype=torch.float16, device=model.device)
    forward = NativeDecoder(model, storage, native, tokens=32)
    vocab_size, limits = model.config.text.vocab_size, Limits(context=256)
    engine = Engine(forward, storage, vocab_size=vocab_size, limits=limits, drafting=drafting)
    ids = torch.randint(1, 500, (50,), generator=torch.Generator().manual_seed(3))
    request = engine.submit(engine.prepare(Prompt(ids=ids), sampling))
    found: list[int] = []
    while not request.is_over:
        for update in engine.step():
            assert update.error is None, update.error
            found += [choice.id for choice in update.choices]
    if drafting is not None:
        assert request.speculation is not None
        assert request.speculation.drafted > 0
        assert not often_right or 0 < request.speculation.accepted < request.speculation.drafted
    return found


@pytest.mark.parametrize("size", DRAFTED)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_do_not_change(size: str, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, top_k=20, seed=4, max_tokens=LENGTH)
    plain, chance = answer(size, sampling, None), random.Random(1)

    def guess(tip: Tip, count: int) -> list[int]:
        done = tip.ids.shape[0] - 50
        known = plain[done : done + count]
        return [token if chance.random() < 0.8 else (token + 1) % 400 for token in known]

    assert answer(size, sampling, VirtualTime(Scripted(guess))) == plain


class Both:
    """A drafter on the kernels, held against its modules."""

    name = "drafter"

    def __init__(self, size: str) -> None:
        drafter, target = random_drafter(size), random_model(size)
        self._ours = GemmaDrafter(drafter, target, native=kernels())
        self._theirs = GemmaDrafter(drafter, target)

    def propose(self, tips: Sequence[Tip], counts: Sequence[int]) -> list[tuple[int, ...]]:
        found = self._ours.propose(tips, counts)
        assert found == self._theirs.propose(tips, counts)
        return found


class Uneven(Both):
    """Drafts less for some requests than was asked for, so that their lengths differ."""

    def __init__(self, size: str) -> None:
        super().__init__(size)
        self._chance = random.Random(5)
        self.differed = 0

    def propose(self, tips: Sequence[Tip], counts: Sequence[int]) -> list[tuple[int, ...]]:
        counts = [self._chance.randrange(count + 1) for count in counts]
        self.differed += len(set(counts)) > 1
        return super().propose(tips, counts)


@pytest.mark.parametrize("size", DRAFTED)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_each_request_of_a_batch_has_a_draft_length_of_its_own(
    size: str, temperature: float
) -> None:
    """Four requests; each answers what it answers alone and without drafts."""
    model = random_model(size)
    prompts = [
        torch.randint(1, 500, (length,), generator=torch.Generator().manual_seed(length))
        for length in (50, 7, 33, 20)
    ]
    sampling = Sampling(temperature=temperature, top_k=20, seed=4, max_tokens=LENGTH)
    source = Uneven(size)
    answers = []
    for drafting in (None, VirtualTime(source)):
        engine = open_engine(
            model,
            Limits(context=128),
            kv_dtype=torch.float16,
            kernels=kernels(),
            drafting=drafting,
        )
        together = [prompts] if drafting else [[prompt] for prompt in prompts]
        for part in together:
            requests = [engine.submit(engine.prepare(Prompt(ids=ids), sampling)) for ids in part]
            while not engine.is_idle:
                engine.step()
                engine.check()
            answers += [request.ids for request in requests]
    assert answers[:4] == answers[4:]
    assert source.differed >= 5


@pytest.mark.parametrize("size", DRAFTED)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_native_drafter_guesses_what_its_modules_guess(size: str, temperature: float) -> None:
    """It shares no training with the model, so it is hardly ever right; the answer is the same."""
    sampling = Sampling(temperature=temperature, top_k=20, seed=4, max_tokens=LENGTH)
    drafting = VirtualTime(Both(size))
    found = answer(size, sampling, drafting, often_right=False)
    assert found == answer(size, sampling, None)
