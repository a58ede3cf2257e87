"""The part of Ollama's templates that prompts are made of; what else they can do is refused by name.

    {{ if .System }}<|turn>system
    {{ .System }}<turn|>
    {{ end }}<|turn>user
    {{ .Prompt }}<turn|>
    <|turn>model
    {{ .Response }}

Values are never control tokens, whatever they hold; what the template itself says may be.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import RequestError

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_IF = re.compile(r"if\s+\.(\w+)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A text of the prompt; `is_literal`: of the template, so that it may hold control tokens."""

    text: str
    is_literal: bool


def render_template(template: str, values: Mapping[str, str]) -> tuple[Segment, ...]:
    """The prompt up to `{{ .Response }}`.

    Args:
        values: of `System`, `Prompt` and `Response`.

    Raises:
        RequestError: the template has an action other than a value, `if .Value` or `end`.
    """
    return tuple(segment for segment in _render(template, values) if segment.text)


def _render(template: str, values: Mapping[str, str]) -> Iterator[Segment]:
    shown = [True]  # of each `if` that is open
    position, trims = 0, False
    for action in _ACTION.finditer(template):
        text = template[position : action.start()]
        text = text.lstrip() if trims else text
        if all(shown):
            yield Segment(text.rstrip() if action[1] else text, is_literal=True)
        position, trims = action.end(), bool(action[3])
        command = action[2]
        if found := _IF.fullmatch(command):
            shown.append(bool(_value(found[1], command, values)))
        elif command == "end" and len(shown) > 1:
            shown.pop()
        elif command == ".Response":
            return
        elif command.startswith(".") and all(shown):
            yield Segment(_value(command[1:], command, values), is_literal=False)
        elif not command.startswith("."):
            raise _refusal(command)
    if len(shown) > 1:
        raise RequestError("template: an {{ if }} has no {{ end }}", param="template")
    rest = template[position:]
    yield Segment(rest.lstrip() if trims else rest, is_literal=True)


def _value(name: str, command: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise _refusal(command)
    return values[name]


def _refusal(command: str) -> RequestError:
    return RequestError(
        f"template: {{{{ {command} }}}} is not rendered here; known are .System, .Prompt, .Response, "
        "if and end. Leave template out for the model's own, or send raw: true with a whole prompt",
        param="template",
    )
