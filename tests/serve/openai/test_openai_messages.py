"""Messages as agents send them: nothing that they hold is lost in the prompt."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_chat import tiny_chat_directory

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.messages import ChatMessage, read_messages
from gemma4.serve.settings import ServeSettings
from gemma4.text.messages import Message
from gemma4.text.prompt import build_prompt
from gemma4.text.templates.renderer import BuiltinTemplate
from gemma4.text.templates.template import JinjaTemplate, Template
from gemma4.text.tokens.tokenizer import tokenizer_from_directory

TEMPLATES = sorted((Path(__file__).parents[2] / "data" / "chat_templates").glob("*.jinja"))
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}


def read(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return read_messages([ChatMessage(**one) for one in messages], ServeSettings()).messages


def rendered(template: Template, *messages: dict[str, Any]) -> str:
    tokenizer = tokenizer_from_directory(tiny_chat_directory())
    return build_prompt(read(*messages), template=template, tokenizer=tokenizer).text


def templates() -> list[Any]:
    return [
        *(pytest.param(JinjaTemplate(path.read_text()), id=path.stem) for path in TEMPLATES),
        *(pytest.param(BuiltinTemplate(style), id=style) for style in ("small", "large")),
    ]


@pytest.mark.parametrize("template", templates())
def test_system_words_stand_where_they_were_whoever_says_them(template: Template) -> None:
    text = rendered(
        template,
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "developer", "content": "Now be long."},
        {"role": "user", "content": "Two?"},
    )
    assert text.startswith("<bos><|turn>system\nBe brief.\n\nBe kind.<turn|>\n<|turn>user\nOne?")
    assert "Yes.<turn|>\n<|turn>system\nNow be long.<turn|>\n<|turn>user\nTwo?<turn|>" in text
    assert "developer" not in text
    assert text.count("<|turn>") == text.count("<turn|>") + 1


@pytest.mark.parametrize("template", templates())
@pytest.mark.parametrize("content", ["", None, [], "I look."])
def test_a_replayed_call_and_its_answer(template: Template, content: Any) -> None:
    """opencode sends `""`, pi `null`; both with `reasoning_content`."""
    text = rendered(
        template,
        {"role": "user", "content": "Do."},
        {
            "role": "assistant", "content": content, "tool_calls": [CALL],
            "reasoning_content": "Hm.", "refusal": None, "audio": None, "annotations": [],
        },
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "done"}]},
    )  # fmt: skip
    assert "<|tool_call>call:f{x:1}<tool_call|>" in text
    assert '<|tool_response>response:f{value:<|"|>done<|"|>}<tool_response|>' in text
    assert ("I look." in text) == (content == "I look.")


def test_thoughts_are_kept_under_either_name() -> None:
    for key in ("reasoning_content", "reasoning"):
        assert read({"role": "assistant", "content": "a", key: "Hm."})[0].thought == "Hm."
    assert (
        read({"role": "assistant", "content": "a", "reasoning": {"effort": "low"}})[0].thought
        is None
    )


def test_functions_of_old() -> None:
    messages = read(
        {"role": "user", "content": "Do."},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "done"},
    )
    assert messages[1].tool_calls[0].name == "f"
    assert messages[2].role == "tool"
    assert messages[2].tool_call_id == messages[1].tool_calls[0].id


def test_a_custom_call_has_one_text() -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    (message,) = read({"role": "assistant", "tool_calls": [call]})
    assert message.tool_calls[0].arguments == {"input": "*** Begin"}


def test_a_refusal_is_what_the_model_said() -> None:
    for message in (
        {"role": "assistant", "content": None, "refusal": "I will not."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]},
    ):
        assert read(message)[0].text == "I will not."


def test_a_voice_that_was_stored_elsewhere_is_said() -> None:
    messages = [ChatMessage(role="assistant", content="a", audio={"id": "x"})]
    found = read_messages(messages, ServeSettings())
    assert found.remarks == ("messages[0].audio was left out: this server stores no answers",)


@pytest.mark.parametrize("arguments", ["", None, {}, "{}"])
def test_no_arguments(arguments: Any) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
    assert read({"role": "assistant", "tool_calls": [call]})[0].tool_calls[0].arguments == {}


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "narrator", "content": "x"}, "messages[0].role"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "messages[0].tool_calls[0]"),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]},
            "messages[0].tool_calls[0]",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]},
            "messages[0].tool_calls[0]",
        ),
        ({"role": "assistant", "function_call": {"arguments": "{}"}}, "messages[0].function_call"),
        ({"role": "tool", "content": "x"}, "messages[0]"),
    ],
)
def test_what_is_wrong_is_named(message: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(message)
    assert caught.value.param == param
    json.dumps(str(caught.value))
