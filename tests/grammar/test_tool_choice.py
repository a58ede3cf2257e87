"""Which calls may come: by mode, by name, one or several; and what text may stand around them."""

import numpy as np
import pytest
import torch
from agent_schemas import BASH, TODO
from held_answers import (
    CALL,
    EOS,
    TOOL_RESPONSE,
    TURN_END,
    VOCAB,
    accepts,
    allowed,
    grammars,
    refused_at,
    tokenizer,
)

from gemma4.errors import GrammarError
from gemma4.grammar import AnswerConstraint, AnswerRule, ToolRule
from gemma4.text.messages import Tool

TOOLS = [
    Tool(name="bash", description="", parameters=BASH),
    Tool(name="todo", description="", parameters=TODO),
    Tool(name="now", description=""),
]
LS = '<|tool_call>call:bash{command:<|"|>ls<|"|>}<tool_call|>'
NOW = "<|tool_call>call:now{}<tool_call|>"


def constraint(mode: str = "auto", **options: object) -> AnswerConstraint:
    return grammars().constraint(AnswerRule(tools=ToolRule(tools=TOOLS, mode=mode, **options)))


def test_auto_takes_text_or_calls_and_holds_the_calls() -> None:
    assert accepts(constraint(), "It is 5 o'clock, {really}.")
    assert accepts(constraint(), f"I look. {LS}")
    assert accepts(constraint(), LS + NOW)
    assert refused_at(constraint(), f"{LS}And now") == "And now<turn|>"
    wrong = '<|tool_call>call:bash{cmd:<|"|>ls<|"|>}<tool_call|>'
    assert refused_at(constraint(), wrong).startswith("cmd")


def test_a_call_can_end_the_turn_or_hand_over() -> None:
    for end in (TURN_END, TOOL_RESPONSE, EOS):
        assert refused_at(constraint("required"), LS, end) is None


def test_the_turn_cannot_end_inside_a_call() -> None:
    assert refused_at(constraint(), '<|tool_call>call:bash{command:<|"|>ls') == "<turn|>"


def test_required_takes_nothing_but_calls() -> None:
    assert accepts(constraint("required"), LS)
    assert refused_at(constraint("required"), "Well") == "Well<turn|>"
    assert np.flatnonzero(allowed(constraint("required"))).tolist() == [CALL]


def test_none_takes_no_call() -> None:
    assert accepts(constraint("none"), "No call.")
    assert refused_at(constraint("none"), f"So {LS}").startswith("<|tool_call>")


def test_a_named_function_is_the_only_one() -> None:
    assert accepts(constraint("required", names=("now",)), NOW)
    assert not accepts(constraint("required", names=("now",)), LS)


def test_a_subset_may_be_called_and_no_other() -> None:
    for mode in ("auto", "required"):
        for call in (LS, NOW):
            assert accepts(constraint(mode, names=("bash", "now")), call)
        assert not accepts(constraint(mode, names=("now",)), LS)


def test_one_call_at_most() -> None:
    assert accepts(constraint(parallel=False), LS)
    assert not accepts(constraint(parallel=False), LS + NOW)


def test_keys_come_in_the_order_of_the_template() -> None:
    in_order = '<|tool_call>call:bash{command:<|"|>ls<|"|>,timeout:5}<tool_call|>'
    assert accepts(constraint(), in_order)
    assert not accepts(
        constraint(), '<|tool_call>call:bash{timeout:5,command:<|"|>ls<|"|>}<tool_call|>'
    )


def test_undeclared_arguments_are_not_offered_unless_the_schema_says_so() -> None:
    for schema, taken in (({}, False), ({"additionalProperties": True}, True)):
        tool = Tool(
            name="f", description="", parameters={"properties": {"a": {"type": "null"}}, **schema}
        )
        rule = AnswerRule(tools=ToolRule(tools=[tool]))
        call = "<|tool_call>call:f{a:null,b:1}<tool_call|>"
        assert accepts(grammars().constraint(rule), call) == taken


def test_a_delimiter_that_is_spelled_out_stays_text() -> None:
    ids = tokenizer().encode(LS.replace("ls", "@"), allow_special=True)
    at = ids.index(tokenizer().encode("@")[0])
    ids[at : at + 1] = tokenizer().encode('echo <|"|>,x:')  # letters, not the token
    assert accepts(constraint(), ids)


def test_an_unsupported_keyword_loosens_its_spot_and_is_named() -> None:
    schema = {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
            "a/b": {"type": "string", "pattern": "^(?=x)"},
        },
        "required": ["tags"],
    }
    tool = Tool(name="f", description="", parameters=schema)
    made = grammars().constraint(AnswerRule(tools=ToolRule(tools=[tool])))
    assert {(one.pointer, one.keyword) for one in made.warnings} == {
        ("f/properties/a~1b", "pattern"),
        ("f/properties/tags", "uniqueItems"),
    }
    assert accepts(made, "<|tool_call>call:f{tags:[1,1]}<tool_call|>")
    with pytest.raises(
        GrammarError, match=r"tool 'f'.*'(pattern|uniqueItems)' at /properties/"
    ) as info:
        grammars().constraint(AnswerRule(tools=ToolRule(tools=[tool], strict=True)))
    assert info.value.keyword in ("pattern", "uniqueItems")


def test_names_that_nobody_declared_are_refused() -> None:
    with pytest.raises(GrammarError, match="'ls' is not declared; the tools are: bash, todo, now"):
        ToolRule(tools=TOOLS, names=("ls",))
    with pytest.raises(GrammarError, match="no tool"):
        ToolRule(tools=[], mode="required")


def test_text_scores_stay_as_they_are() -> None:
    scores = torch.randn(VOCAB)
    before = scores.clone()
    restricted = constraint("none").restrict(scores)
    assert torch.equal(scores, before)
    kept = torch.isfinite(restricted)
    assert torch.equal(restricted[kept], scores[kept])
    assert (~kept).sum() == 2  # <|tool_call> and <|channel>


def test_a_tool_that_cannot_be_called_is_named_and_the_others_can() -> None:
    wrong = Tool(
        name="f", description="", parameters={"required": ["a"], "properties": {"a": False}}
    )
    made = grammars().constraint(AnswerRule(tools=ToolRule(tools=[wrong, *TOOLS])))
    assert [one.keyword for one in made.warnings] == ["parameters"]
    assert accepts(made, LS)
    with pytest.raises(GrammarError, match=r"'f'.*contradicts itself"):
        grammars().constraint(AnswerRule(tools=ToolRule(tools=[wrong, *TOOLS], strict=True)))


def test_malformed_keywords_do_not_break_an_agent() -> None:
    """As servers of tools send them: `required` inside a property, a type that is none."""
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "string", "required": True}, "b": {"type": "any"}},
    }
    tool = Tool(name="f", description="", parameters=parameters)
    made = grammars().constraint(AnswerRule(tools=ToolRule(tools=[tool])))
    assert {(one.pointer, one.keyword) for one in made.warnings} == {
        ("f/properties/a", "required"),
        ("f/properties/b", "type"),
    }
    assert accepts(made, '<|tool_call>call:f{a:<|"|>x<|"|>,b:[1]}<tool_call|>')


def test_one_name_may_be_the_beginning_of_another() -> None:
    tools = [Tool(name=name, description="") for name in ("now", "now_utc")]
    for tool in tools:
        made = grammars().constraint(AnswerRule(tools=ToolRule(tools=tools, mode="required")))
        assert accepts(made, f"<|tool_call>call:{tool.name}{{}}<tool_call|>")
