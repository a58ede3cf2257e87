"""Templates out of a checkpoint: known by name and digest, bounded in time and size, faults in one line."""

import time
from pathlib import Path
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from gemma4.errors import TemplateError
from gemma4.text.templates.budget import Limits
from gemma4.text.templates.template import KNOWN_TEMPLATES, JinjaTemplate

DATA = Path(__file__).parents[1] / "data" / "chat_templates"
MESSAGES = [{"role": "user", "content": "hi"}]
SMALL = Limits(steps=100_000, characters=1 << 20, value_size=1 << 18, seconds=2.0)


def render(source: str, messages: list[dict[str, Any]] = MESSAGES, **variables: str) -> str:
    template = JinjaTemplate(source, limits=SMALL)
    return template.render(messages, tools=None, special_tokens={"bos_token": "<bos>", **variables})


@pytest.mark.parametrize(
    ("file", "revision"),
    [
        ("large.2026-07", "large.2026-07@df269903ea2e"),
        ("e2b-e4b.2026-07", "small.2026-07@3beb16a140a7"),
        ("large.2026-04", "large.2026-04@85a08664d16d"),
        ("launch-day-in-gguf", "launch-day@2dfbfc7d5389"),
        ("llama.cpp-interleaved", "llama.cpp-interleaved@65f93a25708c"),
        ("vllm-0.33.0", "vllm-0.33.0@afdbb2abe366"),
    ],
)
def test_published_templates_are_known_by_name(file: str, revision: str) -> None:
    template = JinjaTemplate((DATA / f"{file}.jinja").read_text())
    assert template.revision == revision
    assert {"messages", "tools", "enable_thinking"} <= template.variables
    native = file in ("launch-day-in-gguf", "llama.cpp-interleaved")
    assert template.wants_tool_responses is native
    assert len(KNOWN_TEMPLATES) == 6


def test_an_unknown_template_has_its_digest_for_a_revision() -> None:
    assert JinjaTemplate("x").revision == "template@2d711642b726"


# Programs that never end, or build a value without end, each by another road.
HOSTILE = {
    "nested loops": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    ),
    "loops that skip all": (
        "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}"
    ),
    "loops that write": (
        "{% for i in range(99999) %}{% for j in range(99999) %}text{% endfor %}{% endfor %}"
    ),
    "macros that call themselves twice": (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "a macro without end": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "doubling with +": (
        "{% set ns=namespace(x='abcd') %}{% for i in range(99) %}"
        "{% set ns.x=ns.x+ns.x %}{% endfor %}"
    ),
    "doubling with ~": (
        "{% set ns=namespace(x='abcd') %}{% for i in range(99) %}"
        "{% set ns.x=ns.x~ns.x %}{% endfor %}"
    ),
    "doubling with a block": (
        "{% set ns=namespace(x='abcd') %}{% for i in range(99) %}"
        "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x=y %}{% endfor %}"
    ),
    "lists in lists": (
        "{% set ns=namespace(x=[1]) %}{% for i in range(99) %}"
        "{% set ns.x=[ns.x,ns.x] %}{% endfor %}{{ ns.x }}"
    ),
    "lists in arguments": (
        "{% macro m(x,n) %}{% if n %}{{ m([x,x],n-1) }}"
        "{% else %}{{ x }}{% endif %}{% endmacro %}{{ m(1,90) }}"
    ),
    "lists in loops": (
        "{% macro m(y,n) %}{% for x in [[y,y]] %}"
        "{{ m(x,n-1) if n else x }}{% endfor %}{% endmacro %}{{ m(1,90) }}"
    ),
    "lists in arguments, compared": (
        "{% macro m(x,y,n) %}{{ m([x,x],[y,y],n-1) if n else x == y }}{% endmacro %}{{ m(1,1,22) }}"
    ),
    "plain text in a loop": "{% for i in range(9999) %}" + "x" * 1000 + "{% endfor %}",
    "a namespace in itself": "{% set ns=namespace() %}{% set ns.x=[ns,ns] %}{{ ns }}",
    "a text times a number": "{{ 'a' * 10**10 }}",
    "a list times a number": "{{ [1] * 9999999999 }}",
    "a huge number": (
        "{% set ns=namespace(x=9) %}{% for i in range(99) %}{% set ns.x=ns.x*ns.x %}{% endfor %}"
    ),
    "a huge power": "{{ 9 ** (9 ** 9) }}",
    "a width in %": "{{ '%99999999999d' % 1 }}",
    "a width in format": "{{ '{:>99999999999}'.format(1) }}",
    "a width in ljust": "{{ 'a'.ljust(99999999999) }}",
    "a width in center": "{{ 'a' | center(99999999999) }}",
    "an indent in tojson": "{{ [1] | tojson(indent=99999999999) }}",
    "an indent": "{{ 'a\nb' | indent(99999999999) }}",
    "a precision": "{{ 1.5 | round(999999999, 'ceil') }}",
    "replace": "{% set s='a'*100000 %}{{ s.replace('a', s) }}",
    "the filter replace": "{% set s='a'*100000 %}{{ s | replace('a', s) }}",
    "join": "{% set s='a'*100000 %}{{ s.join(range(99999) | list) }}",
    "join of a generator": "{{ ','.join(range(9) | map('string')) }}",
    "the filter join": "{% set s='a'*100000 %}{{ range(99999) | join(s) }}",
    "nested brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "recursive loops": "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "a long source": "x" * 300_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_template_without_end_is_stopped(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(TemplateError) as caught:
        render(HOSTILE[name])
    assert time.monotonic() - start < 5.0  # limit 2 s, and a busy machine
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_limits_are_named() -> None:
    with pytest.raises(TemplateError, match="did not end within 100000 steps; use another one"):
        render(HOSTILE["nested loops"])
    with pytest.raises(TemplateError, match="writes more than 1048576 characters"):
        render(HOSTILE["a text times a number"])
    with pytest.raises(TemplateError, match="a value larger than 262144 characters"):
        render(HOSTILE["lists in lists"])
    slow = JinjaTemplate(HOSTILE["nested loops"], limits=Limits(seconds=0.05))
    with pytest.raises(TemplateError, match=r"did not end within 0\.05 s"):
        slow.render(MESSAGES, tools=None, special_tokens={})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for %}", r"template@\w{12} cannot be read: line 1: Expected an expression"),
        ("{{ x | nothing }}", "No filter named 'nothing'; repair it or use another one"),
        (
            "{{ raise_exception('roles\nmust alternate') }}",
            "conversation: roles must alternate; change the conversation",
        ),
        ("{{ messages[0].content.a.b }}", "fails on this conversation: .* has no attribute 'a'"),
        ("{{ 1 + 'a' }}", "fails on this conversation: unsupported operand"),
        ("{{ 1 / 0 }}", "fails on this conversation: division by zero; change the conv"),
        ("{% include 'x' %}", "fails on this conversation: no loader"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' .* is unsafe"),
        ("{{ messages.append(1) }}", "access to attribute 'append' .* is unsafe"),
        ("{{ messages[0].update(a=1) }}", "access to attribute 'update' .* is unsafe"),
        ("{{ 'a'.encode() }}", "access to attribute 'encode' .* is unsafe"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_a_fault_is_told_in_one_line(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        render(source)
    assert "\n" not in str(caught.value)


# What templates in the wild use; the reference is transformers.
IDIOMS = [
    "  {% if true %}\n  a\n  {% endif %}\n b\n",
    (
        "{% for m in messages %}{% if loop.index0 == 1 %}"
        "{% continue %}{% endif %}{{ m.content }}{% endfor %}"
    ),
    (
        "{% for i in range(9) %}{% if i == 3 %}{% break %}"
        "{% endif %}{{ i }},{{ loop.last }} {% endfor %}"
    ),
    (
        "{% for a in 'xyz' %}{{ loop.length }}{{ loop.revindex }}"
        "{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}"
    ),
    "{% for a in [] %}x{% else %}none{% endfor %}{% for a in nothing %}x{% endfor %}",
    "{% for a in range(5) if a is even %}{{ a }}{{ loop.first }}{% endfor %}",
    "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}",
    "{{ messages | tojson }}{{ messages | tojson(indent=2) }}{{ {'é': '<&>'} | tojson }}",
    "{{ messages | tojson(separators=(',', ':'), sort_keys=true, ensure_ascii=true) }}",
    "{% generation %}{{ bos_token }}{% set x = 1 %}{% endgeneration %}{{ x is defined }}",
    (
        "{% macro m(a, b='y') %}{{ a ~ b ~ 1 ~ none }}"
        "{{ caller() if caller }}{% endmacro %}{{ m('x') }}{{ m(2, b=3) }}"
    ),
    "{% macro m() %}[{{ caller('z') }}]{% endmacro %}{% call(q) m() %}{{ q }}{% endcall %}",
    (
        "{% set ns = namespace(a=1, b=[]) %}{% set ns.a = ns.a + 2 %}"
        "{{ ns.a }}{{ ns.b + [1] }}{{ ns.c is defined }}"
    ),
    "{% with a = [1, 2], b = 'x' * 3 %}{{ a }}{{ b }}{% endwith %}",
    (
        "{{ 'a,b'.split(',') | join('-') }}{{ ' x '.strip() }}"
        "{{ 'abc'[1:] }}{{ 'aXbX'.replace('X', '--') }}"
    ),
    (
        "{{ [3, 1, 2] | sort | reverse | list }}"
        "{{ ['b', 'A'] | map('upper') | join }}{{ 'a\nb' | indent(2) }}"
    ),
    (
        "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
        "{{ messages[-1]['role'] | title }}"
    ),
    (
        "{{ {'b': 1, 'A': 2} | dictsort }}{{ 3.14159 | round(2) }}"
        "{{ '7' | int + 1 }}{{ none | default('d', true) }}"
    ),
    (
        "{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 10 }}{{ -3 * 2.5 }}"
        "{{ 'ab' * 2 }}{{ [1] * 2 }}{{ 'a' in 'abc' }}"
    ),
    (
        "{{ missing }}{{ missing | upper }}"
        "{{ messages[0].missing is defined }}{{ dict(a=1) }}{{ 1e21 }}{{ true }}"
    ),
    (
        "{{ strftime_now('%Y') | length }}{% set x %}block "
        "{{ 1 }}{% endset %}{{ x }}{{ x | trim | length }}"
    ),
]


@pytest.mark.parametrize("source", IDIOMS)
def test_idioms_render_as_in_transformers(source: str) -> None:
    messages = [{"role": "user", "content": "é <b>"}, {"role": "assistant", "content": "x"}]
    expected, _ = render_jinja_template([messages], chat_template=source, bos_token="<bos>")
    assert render(source, messages) == expected[0]


def test_a_long_conversation_is_quick() -> None:
    """The July templates look ahead from every message; 400 messages take well under a second."""
    template = JinjaTemplate((DATA / "large.2026-07.jinja").read_text())
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant")] * 200
    start = time.monotonic()
    template.render(turns, tools=None, special_tokens={"bos_token": "<bos>"})
    assert time.monotonic() - start < 5.0  # a loose bound: 0.2 s on an idle core
