"""Which chat template a checkpoint is rendered with: its own if it brings one, ours otherwise."""

import json
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ..tokens.special_tokens import GEMMA3_TURN_BEGIN
from ..tokens.tokenizer import Tokenizer
from .renderer import BuiltinTemplate, Style
from .renderer_gemma3 import Gemma3Template
from .template import JinjaTemplate, Template


def choose_template(source: str | None, *, tokenizer: Tokenizer, style: Style) -> Template:
    """The checkpoint's template, or our own for the tokenizer's family.

    Args:
        source: the checkpoint's Jinja, None or empty if it brings none.
        style: of our own renderer: "small" for E2B and E4B, "large" for the others.

    Raises:
        TemplateError: if the source is no Jinja.
    """
    if source:
        return JinjaTemplate(source)
    if GEMMA3_TURN_BEGIN in tokenizer.special_ids:
        return Gemma3Template()
    return BuiltinTemplate(style)


def template_source_from_directory(path: Path) -> str | None:
    """The chat template in a Hugging Face directory, or None.

    `chat_template.jinja` comes first, then `chat_template.json` and `tokenizer_config.json`, where
    older repositories keep it; of several named ones the "default".

    Raises:
        CheckpointError: if one of these files is damaged.
    """
    jinja = path / "chat_template.jinja"
    if jinja.is_file():
        return _read(jinja)
    for name in ("chat_template.json", "tokenizer_config.json"):
        file = path / name
        if file.is_file() and (source := _from_json(file)) is not None:
            return source
    return None


def _from_json(file: Path) -> str | None:
    try:
        value: Any = json.loads(_read(file))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is no JSON: {error}") from error
    template = value.get("chat_template") if isinstance(value, dict) else None
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict)]
        template = next((e.get("template") for e in named if e.get("name") == "default"), None)
    if template is not None and not isinstance(template, str):
        raise CheckpointError(f"{file}: chat_template is no text; remove it or mend it")
    return template


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read {file}: {error}") from error
