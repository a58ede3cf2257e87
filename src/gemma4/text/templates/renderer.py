"""Our own rendering, used where a checkpoint brings no template: byte for byte the July 2026 templates.

There are two styles. "large" (12B, 26B-A4B, 31B) answers without thinking after an empty thought;
"small" (E2B, E4B) does not need one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...errors import TemplateError
from ..codec.tool_syntax import format_call, format_response
from ..tokens.special_tokens import (
    CHANNEL_BEGIN,
    CHANNEL_END,
    PLACEHOLDERS,
    THINK,
    THOUGHT_BEGIN,
    TOOL_RESPONSE_BEGIN,
    TURN_BEGIN,
    TURN_END,
)
from .declarations import format_declaration
from .template import TemplateMessage, TemplateTool

Style = Literal["large", "small"]

_SYSTEM_ROLES = ("system", "developer")
_MEDIA = {
    "image": PLACEHOLDERS["image"],
    "image_url": PLACEHOLDERS["image"],
    "audio": PLACEHOLDERS["audio"],
    "input_audio": PLACEHOLDERS["audio"],
    "video": PLACEHOLDERS["video"],
}


class BuiltinTemplate:
    """Google's format of July 2026 without Jinja; see `template.Template`."""

    variables = frozenset(
        {"messages", "tools", "enable_thinking", "preserve_thinking", "add_generation_prompt"}
    )
    wants_tool_responses = False

    def __init__(self, style: Style) -> None:
        self.revision = f"builtin-{style}.2026-07"
        self._empty_thought = f"{THOUGHT_BEGIN}{CHANNEL_END}" if style == "large" else ""

    def render(
        self,
        messages: Sequence[TemplateMessage],
        *,
        tools: Sequence[TemplateTool] | None,
        special_tokens: Mapping[str, str],
        enable_thinking: bool = False,
        preserve_thinking: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """See `Template.render`."""
        text = special_tokens["bos_token"]
        system = messages[0] if messages and messages[0]["role"] in _SYSTEM_ROLES else None
        if enable_thinking or tools or system is not None:
            text += _system_turn(system, tools or (), thinking=enable_thinking)
        turns = messages if system is None else messages[1:]
        last_user = max((i for i, m in enumerate(turns) if m["role"] == "user"), default=-1)
        previous = None
        ending = ""
        for index, message in enumerate(turns):
            if message["role"] == "tool":
                continue
            keeps_thought = index > last_user or (preserve_thinking and message.get("tool_calls"))
            if not (message["role"] == previous == "assistant"):
                text += f"{TURN_BEGIN}{_role(message)}\n"
            turn, ending = _turn(message, turns[index + 1 :], with_thought=bool(keeps_thought))
            text += turn
            previous = message["role"]
        if not add_generation_prompt:
            return text
        return text + self._generation_prompt(ending, thinking=enable_thinking)

    def _generation_prompt(self, ending: str, *, thinking: bool) -> str:
        if ending == "tool_call":
            return ""
        if ending == "tool_response":
            return THOUGHT_BEGIN if thinking else ""
        return f"{TURN_BEGIN}model\n{'' if thinking else self._empty_thought}"


def strip_thoughts(text: str) -> str:
    """A model's text without its `<|channel>…<channel|>` blocks, and without space around it."""
    parts = text.split(CHANNEL_END)
    return "".join(part.split(CHANNEL_BEGIN)[0] for part in parts).strip()


def _system_turn(
    system: TemplateMessage | None, tools: Sequence[TemplateTool], *, thinking: bool
) -> str:
    text = f"{TURN_BEGIN}system\n"
    if thinking:
        text += f"{THINK}\n"
    content = None if system is None else system.get("content")
    if isinstance(content, str):
        text += content.strip()
    elif isinstance(content, Sequence):
        text += "".join(f"{str(part.get('text', '')).strip()} " for part in content)
    return f"{text}{''.join(map(format_declaration, tools))}{TURN_END}\n"


def _turn(
    message: TemplateMessage, following: Sequence[TemplateMessage], *, with_thought: bool
) -> tuple[str, str]:
    """A message after its turn's opening, and how it ends: "tool_call", "tool_response" or ""."""
    thought = message.get("reasoning") or message.get("reasoning_content")
    text = f"{THOUGHT_BEGIN}{thought}\n{CHANNEL_END}" if thought and with_thought else ""
    calls = message.get("tool_calls") or ()
    text += "".join(map(_call, calls))
    responses = _responses(message, calls, following)
    content = _content(message)
    text += responses + content
    following_role = next((m["role"] for m in following if m["role"] != "tool"), None)
    is_model = message["role"] == "assistant"
    goes_on = is_model and following_role == "assistant" and (not calls or responses)
    is_open = responses and not content.strip() and following_role is None
    if calls and not responses:
        text += TOOL_RESPONSE_BEGIN
    elif not (goes_on or is_open):
        text += f"{TURN_END}\n"
    return text, "tool_response" if responses else "tool_call" if calls else ""


def _call(call: Mapping[str, Any]) -> str:
    arguments = call["function"].get("arguments", "")
    if not (arguments is None or isinstance(arguments, Mapping)):
        raise TemplateError(
            f"arguments of tool call {call['function']['name']} are {type(arguments).__name__}; "
            "they must be a mapping"
        )
    return format_call(call["function"]["name"], arguments or {})


def _responses(
    message: TemplateMessage, calls: Sequence[Any], following: Sequence[TemplateMessage]
) -> str:
    if native := message.get("tool_responses"):
        return "".join(format_response(r.get("name") or "unknown", r["response"]) for r in native)
    text = ""
    for answer in following if calls else ():
        if answer["role"] != "tool":
            break
        name = answer.get("name") or "unknown"
        for call in calls:
            if call.get("id") == answer.get("tool_call_id"):
                name = call["function"]["name"]
        text += _response(name, answer.get("content"))
    return text


def _response(name: str, body: Any) -> str:
    if isinstance(body, Mapping):
        raise TemplateError(f"the answer of tool {name} is a mapping; send text or parts")
    if not isinstance(body, list | tuple):
        return format_response(name, body)
    words = "".join(part.get("text", "") for part in body if part.get("type") == "text")
    media = "".join(_MEDIA.get(part.get("type"), "") for part in body)
    return format_response(name, words) + media


def _content(message: TemplateMessage) -> str:
    trim = strip_thoughts if message["role"] == "assistant" else str.strip
    content = message.get("content")
    if isinstance(content, str):
        return trim(content)
    return "".join(
        trim(part["text"]) if part.get("type") == "text" else _MEDIA.get(part.get("type"), "")
        for part in content or ()
    )


def _role(message: TemplateMessage) -> str:
    return "model" if message["role"] == "assistant" else str(message["role"])
