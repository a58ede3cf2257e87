"""Rendering equals transformers byte for byte, for every template and conversation of the corpus."""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from gemma4.errors import TemplateError
from gemma4.text.templates.renderer import BuiltinTemplate
from gemma4.text.templates.template import JinjaTemplate, Template

DATA = Path(__file__).parents[1] / "data" / "chat_templates"
CORPUS: list[dict[str, Any]] = json.loads((DATA / "corpus.json").read_text())
GOLDENS: dict[str, dict[str, str | None]] = json.loads(
    lzma.decompress((DATA / "goldens.json.xz").read_bytes())
)
FLAGS = ("enable_thinking", "preserve_thinking", "add_generation_prompt")


def render(template: Template, conversation: dict[str, Any]) -> str | None:
    flags = {name: conversation[name] for name in FLAGS if name in conversation}
    tools = conversation.get("tools")
    try:
        return template.render(
            conversation["messages"], tools=tools, special_tokens={"bos_token": "<bos>"}, **flags
        )
    except TemplateError:
        return None


def test_the_corpus_is_whole() -> None:
    names = {conversation["name"] for conversation in CORPUS}
    assert len(names) == len(CORPUS) >= 40
    assert len(GOLDENS) == 6
    for goldens in GOLDENS.values():
        assert set(goldens) == names
        assert sum(golden is None for golden in goldens.values()) <= 2


@pytest.mark.parametrize("file", sorted(GOLDENS))
def test_a_checkpoints_template_renders_as_in_transformers(file: str) -> None:
    template = JinjaTemplate((DATA / file).read_text())
    for conversation in CORPUS:
        assert render(template, conversation) == GOLDENS[file][conversation["name"]]


@pytest.mark.parametrize("conversation", CORPUS, ids=lambda conversation: conversation["name"])
def test_our_own_renderer_equals_both_july_templates(conversation: dict[str, Any]) -> None:
    large, small = BuiltinTemplate("large"), BuiltinTemplate("small")
    name = conversation["name"]
    assert render(large, conversation) == GOLDENS["large.2026-07.jinja"][name]
    assert render(small, conversation) == GOLDENS["e2b-e4b.2026-07.jinja"][name]
