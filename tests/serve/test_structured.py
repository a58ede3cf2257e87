"""Formats, required calls and thought budgets through the whole of a real `LLM`; the model is a script."""

import json

from scripted_model import scripted_llm

from gemma4.grammar import JsonSchema
from gemma4.llm.question import ToolChoice

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOL = {"name": "weather", "description": "Tell it.", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Ulm", "Rom"]}}, "required": ["city"],
}}  # fmt: skip


def test_a_scripted_answer_is_held_to_its_schema() -> None:
    llm = scripted_llm(lambda _: '{"name":"Ada","age":36}')
    answer = llm.chat("Who?", format=JsonSchema(SCHEMA), temperature=0.0)
    assert json.loads(answer.text) == {"name": "Ada", "age": 36}
    assert answer.finished.constraint is not None
    assert answer.finished.constraint.engine == "llguidance"


def test_a_model_that_would_not_call_is_made_to() -> None:
    llm = scripted_llm(lambda _: "I would rather chat.")
    answer = llm.chat("Weather?", tools=[TOOL], tool_choice="required", temperature=0.0)
    (call,) = answer.tool_calls[:1]
    assert call.name == "weather"
    assert call.arguments["city"] in ("Ulm", "Rom")
    assert answer.finished.finish_reason == "tool_calls"


def test_forbidden_calls_are_not_made() -> None:
    llm = scripted_llm(lambda _: '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>')
    answer = llm.chat(
        "Weather?", tools=[TOOL], tool_choice=ToolChoice(mode="none"), max_tokens=8, temperature=0.0
    )
    assert not answer.tool_calls


def test_a_thought_is_closed_when_its_budget_is_used_up() -> None:
    llm = scripted_llm(lambda _: "<|channel>thought\n" + "hm " * 200 + "<channel|>Yes.")
    answer = llm.chat("Think.", thinking=True, thought_budget=10, temperature=0.0, max_tokens=40)
    assert answer.finished.constraint is not None
    assert answer.finished.constraint.closed_thought
    assert answer.finished.usage.thought_tokens <= 14
