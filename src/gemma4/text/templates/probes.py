"""What a template can render, found by letting it render a conversation of a few words.

Templates differ by size and date, and what they have no place for they put elsewhere or leave out.
"""

from typing import Any

from ...errors import TemplateError
from ..tokens.special_tokens import PLACEHOLDERS
from .template import Template

_ASKED: dict[str, Any] = {"role": "user", "content": "ask"}
_SAID: dict[str, Any] = {"role": "assistant", "content": "said"}
_CALLED: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "tool", "arguments": {}}},
    ],
}


def joins_turns(template: Template) -> bool:
    """Whether words and a call that follows them, as two messages, are one turn of the model's.

    As one message templates place the words behind the call's result, which is not where they were said.
    """
    text = _rendered(template, [_ASKED, _SAID, _CALLED, _result("done")])
    said, call = text.find("said"), text.find("call:tool")
    return 0 <= said < call and "turn" not in text[said:call]


def shows_media_of_tools(template: Template) -> bool:
    """Whether pictures in the result of a tool have a place."""
    if template.wants_tool_responses:
        return False
    parts = [{"type": "text", "text": "seen"}, {"type": "image"}]
    return PLACEHOLDERS["image"] in _rendered(template, [_ASKED, _CALLED, _result(parts)])


def _result(content: str | list[dict[str, str]]) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "1", "content": content}


def _rendered(template: Template, messages: list[dict[str, Any]]) -> str:
    try:
        return template.render(messages, tools=None, special_tokens={"bos_token": "<bos>"})
    except TemplateError:  # what it cannot render at all, it has no place for
        return ""
