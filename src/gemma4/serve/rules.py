"""What an answer is held to, as OpenAI's clients say it: `response_format` and `tool_choice`."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ..grammar import Choices, Format, JsonObject, JsonSchema, Lark, Regex, ToolMode
from ..llm.question import ToolChoice
from .errors import RequestError

_MODES: tuple[ToolMode, ...] = get_args(ToolMode)


def read_format(value: Mapping[str, Any] | None, *, param: str) -> Format | None:
    """The format of an answer; None for text.

    Chat completions nest a schema (`json_schema: {schema}`), Responses write it flat; llama.cpp puts a
    `schema` beside `json_object`. `regex`, `lark` (or `grammar`) and `choice` are ours, after vLLM's.

    Raises:
        RequestError: a type that is not known, or one without its content.
    """
    if value is None:
        return None
    match value.get("type", "text"):
        case "text":
            return None
        case "json_object":
            schema = value.get("schema")
            return JsonObject() if schema is None else JsonSchema(_schema(schema, param))
        case "json_schema":
            nested = value.get("json_schema", value)
            if not isinstance(nested, Mapping) or "schema" not in nested:
                raise RequestError(f"{param} has no schema", param=param)
            return JsonSchema(_schema(nested["schema"], param))
        case "regex":
            return Regex(_text(value, ("pattern", "regex"), param))
        case "lark" | "grammar":
            return Lark(_text(value, ("grammar", "lark"), param))
        case "choice":
            return Choices(_texts(value.get("choice", value.get("choices")), param))
        case kind:
            raise RequestError(
                f"{param}.type is {kind!r}; it must be text, json_object, json_schema, regex, lark or choice",
                param=f"{param}.type",
            )


def read_tool_choice(
    choice: str | Mapping[str, Any] | None, *, parallel: bool | None, strict: bool = False
) -> ToolChoice:
    """Which tools may or must be called, in the words of chat completions or of Responses.

    Raises:
        RequestError: it is no choice.
    """
    many = parallel is not False
    if choice is None or isinstance(choice, str):
        mode = _mode(choice or "auto")
        return ToolChoice(mode=mode, parallel=many, strict=strict)
    match choice.get("type", "function"):
        case "function" | "custom":
            names: tuple[str, ...] = (_name(choice),)
            return ToolChoice(mode="required", names=names, parallel=False, strict=strict)
        case "allowed_tools":
            allowed = choice.get("allowed_tools", choice)
            names = tuple(_name(tool) for tool in _objects(allowed.get("tools")))
            mode = _mode(allowed.get("mode", "auto"))
            return ToolChoice(mode=mode, names=names, parallel=many, strict=strict)
        case kind:
            raise RequestError(
                f"tool_choice.type is {kind!r}; it must be function or allowed_tools",
                param="tool_choice.type",
            )


def is_strict(offered: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every tool asks for its schema to be enforced whole."""
    said = [(tool.get("function") or tool).get("strict") for tool in offered]
    return bool(said) and all(one is True for one in said)


def _mode(word: object) -> ToolMode:
    for mode in _MODES:
        if word == mode:
            return mode
    raise RequestError(
        f"tool_choice is {word!r}; it must be auto, none, required, a function or allowed_tools",
        param="tool_choice",
    )


def _name(tool: Mapping[str, Any]) -> str:
    for nested in (tool.get("function"), tool.get("custom"), tool):
        if isinstance(nested, Mapping) and isinstance(nested.get("name"), str):
            return str(nested["name"])
    raise RequestError("tool_choice names no tool", param="tool_choice")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise RequestError("tool_choice.tools must be a list of tools", param="tool_choice.tools")
    return value


def _schema(value: Any, param: str) -> Mapping[str, Any] | bool:
    if not isinstance(value, Mapping | bool):
        raise RequestError(f"{param}: the schema must be an object", param=param)
    return value


def _text(value: Mapping[str, Any], keys: Sequence[str], param: str) -> str:
    found = next((value[key] for key in keys if key in value), None)
    if not isinstance(found, str):
        raise RequestError(f"{param}.{keys[0]} must be text", param=param)
    return found


def _texts(value: Any, param: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise RequestError(f"{param}.choice must be a list of texts", param=param)
    return tuple(value)
