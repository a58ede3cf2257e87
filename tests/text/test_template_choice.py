"""The checkpoint's own template wins, wherever it keeps it; ours is for those that bring none."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemma4.errors import CheckpointError, TemplateError
from gemma4.text.templates.template_choice import choose_template, template_source_from_directory
from gemma4.text.tokens.tokenizer import Tokenizer


def test_the_checkpoints_template_wins(tokenizer: Tokenizer) -> None:
    chosen = choose_template("{{ bos_token }}", tokenizer=tokenizer, style="large")
    assert chosen.revision.startswith("template@")
    with pytest.raises(TemplateError, match="cannot be read"):
        choose_template("{% if %}", tokenizer=tokenizer, style="large")


@pytest.mark.parametrize("source", [None, ""])
def test_ours_is_for_checkpoints_without(tokenizer: Tokenizer, source: str | None) -> None:
    large = choose_template(source, tokenizer=tokenizer, style="large")
    small = choose_template(source, tokenizer=tokenizer, style="small")
    assert large.revision == "builtin-large.2026-07"
    assert small.revision == "builtin-small.2026-07"


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({}, None),
        ({"chat_template.jinja": "a é", "tokenizer_config.json": {"chat_template": "b"}}, "a é"),
        ({"chat_template.json": {"chat_template": "c"}}, "c"),
        ({"tokenizer_config.json": {"chat_template": "b"}}, "b"),
        ({"tokenizer_config.json": {"bos_token": "<bos>"}}, None),
        (
            {
                "tokenizer_config.json": {
                    "chat_template": [
                        {"name": "tool_use", "template": "t"},
                        {"name": "default", "template": "d"},
                    ]
                }
            },
            "d",
        ),
    ],
)
def test_a_directorys_template_is_found(
    tmp_path: Path, files: dict[str, Any], source: str | None
) -> None:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert template_source_from_directory(tmp_path) == source


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("tokenizer_config.json", b"{", "tokenizer_config.json is no JSON"),
        ("tokenizer_config.json", b'{"chat_template": 3}', "chat_template is no text"),
        ("chat_template.jinja", b"\xff\xfe", r"cannot read .*chat_template\.jinja"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        template_source_from_directory(tmp_path)
