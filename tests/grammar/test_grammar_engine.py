"""A tiny random model writes under grammars through the real engine: together, drafted, in every setting."""

import json
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from agent_schemas import AGENT_SCHEMAS, agent_tools
from held_answers import STOPS, VOCAB, grammars, tokenizer
from read_answers import content, events, valid_calls, validate
from speculated import Scripted, VirtualTime
from tiny_chat import tiny_chat_directory

from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampling import Sampling
from gemma4.errors import GrammarError
from gemma4.grammar import AnswerConstraint, AnswerRule, Choices, JsonSchema, ThoughtRule, ToolRule
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

TOOLS = agent_tools()
SMALL = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["a", "b", 3]},
        "count": {"type": "integer", "minimum": -5, "maximum": 99},
    },
    "required": ["name", "kind"],
    "additionalProperties": False,
}
RULES = {
    "schema": AnswerRule(format=JsonSchema(SMALL)),
    "call": AnswerRule(
        tools=ToolRule(tools=TOOLS, mode="required", names=("edit", "todo_write"), parallel=False)
    ),
    "choice": AnswerRule(format=Choices(("yes", "no", "perhaps not"))),
    "thought": AnswerRule(
        format=JsonSchema(SMALL), thought=ThoughtRule(opens_thought=True, budget=4)
    ),
}
SETTINGS = {
    "greedy": Sampling(temperature=0.0, max_tokens=400),
    "drawn": Sampling(top_k=64, top_p=0.95, seed=3, max_tokens=400),
    "all": Sampling(seed=5, min_p=1e-9, max_tokens=400),
    "penalized": Sampling(
        seed=7, top_k=20, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.5,
        logit_bias={100: 3.0}, suppress_ids=(5, 6), logprobs=2, max_tokens=400,
    ),
}  # fmt: skip


@cache
def model() -> Gemma4:
    checkpoint = open_checkpoint(tiny_chat_directory())
    made = build_model(checkpoint.config)
    load_weights(made, checkpoint, dtype=torch.float32)
    return made


def engine(**options: object) -> Engine:
    return open_engine(model(), Limits(context=512, max_requests=4), **options)


def ask(
    engine: Engine, rule: AnswerRule, sampling: Sampling, start: int = 0
) -> tuple[Request, AnswerConstraint]:
    constraint = grammars().constraint(rule)
    prompt = Prompt(ids=torch.arange(2 + start, 40 + start))
    request = engine.prepare(prompt, sampling, stop_ids=frozenset(STOPS), constraint=constraint)
    return engine.submit(request), constraint


def run(engine: Engine) -> dict[int, str]:
    """Steps until all are over; why each ended."""
    ends = {}
    while not engine.is_idle:
        for update in engine.step():
            if update.end is not None:
                ends[update.request.number] = update.end.reason
        engine.check()
    return ends


def answer_of(request: Request) -> list[int]:
    return request.ids[request.num_prompt :]


def check_answer(name: str, ids: Sequence[int]) -> None:
    """The answer is what its rule asks for."""
    found = events(ids, TOOLS, opens_thought=name == "thought")
    match name:
        case "call":
            [called] = valid_calls(found, TOOLS)
            assert called in ("edit", "todo_write")
        case "choice":
            assert content(found) in ("yes", "no", "perhaps not")
        case _:
            validate(json.loads(content(found)), SMALL)


@pytest.mark.parametrize("settings", SETTINGS)
def test_answers_obey_in_every_setting_alone_and_together(settings: str) -> None:
    together = engine()
    asked = {
        name: ask(together, rule, SETTINGS[settings], place)
        for place, (name, rule) in enumerate(RULES.items())
    }
    ends = run(together)
    for place, (name, (request, constraint)) in enumerate(asked.items()):
        assert request.error is None
        assert ends[request.number] == "stop"
        check_answer(name, answer_of(request))
        assert constraint.closed_thought == (name == "thought")
        if settings != "drawn":
            continue
        alone = engine()
        again, _ = ask(alone, RULES[name], SETTINGS[settings], place)
        run(alone)
        assert answer_of(again) == answer_of(request)


@pytest.mark.parametrize("name", ["schema", "call"])
def test_drafts_change_no_answer(name: str) -> None:
    plain = engine()
    request, _ = ask(plain, RULES[name], SETTINGS["drawn"])
    run(plain)
    wanted = answer_of(request)

    def guess(tip: object, count: int) -> list[int]:
        """Two of three guesses are right."""
        done = len(tip.ids) - request.num_prompt
        right = (wanted + [0] * count)[done : done + count]
        return [id if (done + place) % 3 else 7 for place, id in enumerate(right)]

    drafted = engine(drafting=VirtualTime(Scripted(guess)))
    again, _ = ask(drafted, RULES[name], SETTINGS["drawn"])
    run(drafted)
    assert answer_of(again) == wanted
    assert again.speculation is not None
    assert again.speculation.accepted


def test_several_answers_to_one_prompt_each_have_their_own_state() -> None:
    one = engine()
    asked = [
        ask(one, RULES["schema"], Sampling(seed=seed, top_k=64, max_tokens=400))[0]
        for seed in range(4)
    ]
    run(one)
    for request in asked:
        check_answer("schema", answer_of(request))
    assert len({tuple(answer_of(request)) for request in asked}) == 4


def test_the_limit_of_tokens_ends_an_answer_as_ever() -> None:
    one = engine()
    request, _ = ask(one, RULES["schema"], Sampling(seed=1, top_k=64, max_tokens=3))
    assert run(one)[request.number] == "length"


def test_a_dead_end_fails_its_own_request() -> None:
    """All tokens that the grammar allows are suppressed; the neighbour answers."""
    one = engine()
    yes = tuple(range(VOCAB - 64))
    broken, _ = ask(one, AnswerRule(format=Choices(("yes",))), Sampling(suppress_ids=yes))
    sound, _ = ask(one, RULES["choice"], SETTINGS["greedy"])
    run(one)
    assert broken.error is not None
    assert "suppress_ids" in str(broken.error)
    check_answer("choice", answer_of(sound))


def test_a_loop_that_the_constraint_sees_ends_the_answer() -> None:
    class Looping:
        period = None

        def restrict(self, logits: torch.Tensor) -> torch.Tensor:
            return logits

        def accept(self, token: int) -> None:
            self.period = 7 if token >= 0 else None

    one = engine()
    prompt = Prompt(ids=torch.arange(2, 20))
    request = one.submit(
        one.prepare(prompt, Sampling(max_tokens=50, temperature=0.0), constraint=Looping())
    )
    assert run(one)[request.number] == "loop"
    assert request.num_generated == 1


def test_agent_schemas_have_no_spot_that_is_not_enforced() -> None:
    rule = AnswerRule(tools=ToolRule(tools=TOOLS, mode="required", strict=True))
    assert not grammars().constraint(rule).warnings
    assert len(AGENT_SCHEMAS) == len(TOOLS)
    with pytest.raises(GrammarError):
        ToolRule(tools=TOOLS, names=("unheard",))
    assert tokenizer().vocab_size == VOCAB
