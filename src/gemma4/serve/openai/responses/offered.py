"""Tools as clients of Responses offer them, and the names under which the model knows them.

function    as it is
namespace   its tools, each under `namespace__name`; calls go back with both names apart
custom      a function with one text argument; calls go back as `custom_tool_call`
other kinds run on OpenAI's servers: left out, and said
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ....text.messages import Tool
from ....text.tools.define import to_tools, tool_from_schema
from ...errors import RequestError
from ...fields import objects_of
from .body import Item

INPUT: Final = "input"
_BETWEEN: Final = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForm:
    """How calls of one tool go back to the client."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the model is offered.

    Attributes:
        forms: by the name that the model uses.
        remarks: what was left out.
    """

    tools: tuple[Tool, ...]
    forms: Mapping[str, CallForm]
    remarks: tuple[str, ...]


def offer(tools: Sequence[Item]) -> Offered:
    """Read all of them.

    Raises:
        MessageError: one that no model could call, or two of one name.
    """
    found: list[tuple[Tool, CallForm]] = []
    remarks: list[str] = []
    for tool in tools:
        kind = tool.get("type", "function")
        if kind == "namespace":
            found += _of_namespace(tool)
        elif kind in ("function", "custom"):
            found.append(_read(tool, None, ""))
            if kind == "custom" and _grammar(tool):
                remarks.append(
                    f"the grammar of {tool.get('name')} was told to the model; its input is not held to it"
                )
        else:
            remarks.append(
                f"a tool of type {kind!r} was left out: it runs on OpenAI's servers, not on this one"
            )
    return Offered(
        tools=to_tools(tool for tool, _ in found),
        forms={tool.name: form for tool, form in found},
        remarks=tuple(remarks),
    )


def flat_name(name: str, namespace: object) -> str:
    """The one name of a tool in a name space."""
    if not isinstance(namespace, str) or not namespace:
        return name
    return namespace + ("" if namespace.endswith(_BETWEEN) else _BETWEEN) + name


def _of_namespace(namespace: Item) -> Iterator[tuple[Tool, CallForm]]:
    """Its tools; what the name space is for is told once, at the first."""
    about = namespace.get("description")
    note = f"\n(All tools of {namespace.get('name')}: {about})" if about else ""
    for tool in objects_of(namespace.get("tools"), "tools.tools"):
        yield _read(tool, str(namespace.get("name") or ""), note)
        note = ""


def _read(tool: Mapping[str, Any], namespace: str | None, note: str) -> tuple[Tool, CallForm]:
    function: Mapping[str, Any] = tool.get("function", tool)
    if not isinstance(function, Mapping):
        raise RequestError("tools: function must be an object", param="tools")
    name = function.get("name")
    is_custom = tool.get("type") == "custom"
    description = str(function.get("description") or "") + note
    schema = {
        "name": flat_name(name, namespace) if isinstance(name, str) else name,
        "description": description + (_grammar(tool) if is_custom else ""),
        "parameters": _text_argument() if is_custom else function.get("parameters"),
    }
    form = CallForm(name=str(name), namespace=namespace, is_custom=is_custom)
    return tool_from_schema(schema), form


def _text_argument() -> dict[str, Any]:
    text = {"type": "string", "description": "The whole input of the tool, as plain text."}
    return {"type": "object", "properties": {INPUT: text}, "required": [INPUT]}


def _grammar(tool: Mapping[str, Any]) -> str:
    form = tool.get("format")
    if not isinstance(form, Mapping) or form.get("type") != "grammar":
        return ""
    return f"\nThe input must match this {form.get('syntax')} grammar:\n{form.get('definition')}"
