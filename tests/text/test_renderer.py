"""Our own renderers: the two styles of Gemma 4 and Gemma 3's turns."""

import jinja2
import pytest

from gemma4.errors import TemplateError
from gemma4.text.templates.renderer import BuiltinTemplate, strip_thoughts
from gemma4.text.templates.renderer_gemma3 import Gemma3Template
from gemma4.text.templates.template import TemplateMessage

USER = {"role": "user", "content": " hi "}


def gemma4(style: str, messages: list[TemplateMessage], *, thinking: bool = False) -> str:
    template = BuiltinTemplate("large" if style == "large" else "small")
    return template.render(
        messages, tools=None, special_tokens={"bos_token": "<bos>"}, enable_thinking=thinking
    )


def gemma3(messages: list[TemplateMessage]) -> str:
    return Gemma3Template().render(messages, tools=None, special_tokens={"bos_token": "<bos>"})


def test_large_models_answer_after_an_empty_thought_and_small_ones_do_not() -> None:
    start = "<bos><|turn>user\nhi<turn|>\n<|turn>model\n"
    assert gemma4("small", [USER]) == start
    assert gemma4("large", [USER]) == f"{start}<|channel>thought\n<channel|>"


def test_thinking_is_switched_on_at_the_top_of_the_system_turn() -> None:
    text = gemma4("large", [{"role": "system", "content": "Be brief."}, USER], thinking=True)
    assert text.startswith("<bos><|turn>system\n<|think|>\nBe brief.<turn|>\n<|turn>user\n")
    assert text.endswith("<|turn>model\n")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a", "a"),
        (" <|channel>thought\nx\n<channel|> a ", "a"),
        ("a<|channel>x<channel|>b<|channel>y<channel|>c", "abc"),
        ("a<channel|>b", "ab"),
        ("a<|channel>unfinished", "a"),
    ],
)
def test_thoughts_are_stripped(text: str, rest: str) -> None:
    assert strip_thoughts(text) == rest


def test_arguments_that_are_no_mapping_are_refused() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    with pytest.raises(
        TemplateError, match="arguments of tool call f are str; they must be a mapping"
    ):
        gemma4("large", [USER, {"role": "assistant", "tool_calls": [call]}])


# Gemma 3's published template, but for its images.
GEMMA_3 = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}
    {{- message['content'] | trim }}
    {{- '<end_of_turn>\\n' }}
{%- endfor -%}
{{ '<start_of_turn>model\\n' }}"""


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [USER, {"role": "assistant", "content": "yes\n"}, {"role": "user", "content": "é\n\nx"}],
        [{"role": "system", "content": "Be brief. "}, USER],
    ],
)
def test_gemma_3_turns_equal_its_template(messages: list[TemplateMessage]) -> None:
    expected = jinja2.Template(GEMMA_3).render(messages=messages, bos_token="<bos>")
    assert gemma3(messages) == expected


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([USER, USER], "message 1 is of role user, where Gemma 3 expects assistant"),
        ([{"role": "assistant", "content": "x"}], "message 0 is of role assistant"),
        ([{"role": "user", "content": [{"type": "image"}]}], "read words only; leave media out"),
    ],
)
def test_gemma_3_refuses_what_it_never_saw(messages: list[TemplateMessage], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        gemma3(messages)
    with pytest.raises(TemplateError, match="Gemma 3 has neither tools nor thinking"):
        Gemma3Template().render(
            [USER], tools=None, special_tokens={"bos_token": "<bos>"}, enable_thinking=True
        )
