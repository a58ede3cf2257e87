"""Gemma 3's chat format, which its text models share: turns, the system text before the first of them."""

from collections.abc import Mapping, Sequence

from ...errors import TemplateError
from ..tokens.special_tokens import GEMMA3_TURN_BEGIN, GEMMA3_TURN_END
from .template import TemplateMessage, TemplateTool


class Gemma3Template:
    """Words only, users and model by turns; see `template.Template`."""

    revision = "builtin-gemma3"
    variables = frozenset({"messages", "add_generation_prompt"})
    wants_tool_responses = False

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
        if tools or enable_thinking or preserve_thinking:
            raise TemplateError("Gemma 3 has neither tools nor thinking; leave both out")
        text, prefix = special_tokens["bos_token"], ""
        if messages and messages[0]["role"] in ("system", "developer"):
            prefix, messages = f"{_words(messages[0])}\n\n", messages[1:]
        for index, message in enumerate(messages):
            role = _role(message, index)
            text += (
                f"{GEMMA3_TURN_BEGIN}{role}\n{prefix}{_words(message).strip()}{GEMMA3_TURN_END}\n"
            )
            prefix = ""
        return f"{text}{GEMMA3_TURN_BEGIN}model\n" if add_generation_prompt else text


def _role(message: TemplateMessage, index: int) -> str:
    expected = "assistant" if index % 2 else "user"
    if message["role"] != expected:
        raise TemplateError(
            f"message {index} is of role {message['role']}, where Gemma 3 expects {expected}: "
            "users and assistant must take turns"
        )
    return "model" if expected == "assistant" else "user"


def _words(message: TemplateMessage) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    if any(part.get("type") != "text" for part in content):
        raise TemplateError("Gemma 3's text models read words only; leave media out")
    return "".join(str(part["text"]) for part in content)
