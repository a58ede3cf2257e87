"""Formats in the words of several servers, and as they hold an answer."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel
from raw_http import RawHttp

from gemma4.grammar import Choices, Format, JsonObject, JsonSchema, Lark, Regex
from gemma4.serve.errors import RequestError
from gemma4.serve.openai.structured import FormatFields

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
NESTED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, JsonObject()),
        ({"response_format": NESTED}, JsonSchema(SCHEMA)),
        ({"guided_json": SCHEMA}, JsonSchema(SCHEMA)),
        ({"json_schema": SCHEMA}, JsonSchema(SCHEMA)),
        ({"guided_regex": "a+"}, Regex("a+")),
        ({"guided_choice": ["a", "b"]}, Choices(("a", "b"))),
        ({"guided_grammar": 'start: "a"'}, Lark('start: "a"')),
        ({"structured_outputs": {"json": SCHEMA}}, JsonSchema(SCHEMA)),
        ({"structured_outputs": {"regex": "a+"}}, Regex("a+")),
        ({"structured_outputs": {"choice": ["a"]}}, Choices(("a",))),
    ],
)
def test_every_way_to_say_it(fields: dict[str, Any], expected: Format | None) -> None:
    assert FormatFields(**fields).wanted_format() == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": "root ::= x"}, "grammar"),
        ({"structured_outputs": {"tag": 1}}, "structured_outputs"),
        ({"response_format": NESTED, "guided_json": SCHEMA}, "guided_json"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
)
def test_what_is_not_understood_is_never_left_out(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        FormatFields(**fields).wanted_format()
    assert caught.value.param == param


class Number(BaseModel):
    """What `parse` asks for."""

    n: int


def test_the_clients_parse(client: openai.OpenAI) -> None:
    """A script that would say something else is made to write the object."""
    found = client.chat.completions.parse(
        model="scripted",
        messages=[{"role": "user", "content": "number"}],
        response_format=Number,
        temperature=0,
    )
    assert found.choices[0].message.parsed == Number(n=7)


def test_a_call_that_is_required_is_made(http: RawHttp) -> None:
    city = {"type": "object", "properties": {"city": {"enum": ["Rom"]}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": city}}]
    messages = [{"role": "user", "content": "hi"}]
    asked = {"messages": messages, "tools": tools, "temperature": 0, "parallel_tool_calls": False}
    named = {"type": "function", "function": {"name": "weather"}}
    for choice in ("required", named):
        found = http.post("/v1/chat/completions", {**asked, "tool_choice": choice})
        (call,) = found["choices"][0]["message"]["tool_calls"]
        assert call["function"] == {"name": "weather", "arguments": '{"city": "Rom"}'}
    messages[0]["content"] = "weather"
    found = http.post("/v1/chat/completions", {**asked, "tool_choice": "none", "max_tokens": 8})
    assert "tool_calls" not in found["choices"][0]["message"]
    error = http.error("/v1/chat/completions", {**asked, "tools": [], "tool_choice": "required"})
    assert "there is no tool" in error["message"]
