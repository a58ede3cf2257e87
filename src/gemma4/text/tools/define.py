"""Tools from Python functions, from JSON Schema, or as they are.

def weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    \"\"\"Tell the weather of a city.

    Args:
        city: its name.
    \"\"\"

tools = to_tools([weather, {"name": "now", "description": "The time.", "parameters": {}}])
"""

import enum
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import MessageError
from ..messages import Tool
from .docstrings import parse_docstring
from .type_schema import hints_of, schema_of_hint

ToolSource = Tool | Mapping[str, Any] | Callable[..., Any]

# What a call `call:NAME{` can carry; name spaces of MCP servers included.
_NAME = re.compile(r"[\w./:-]+")
_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema")
# Keys of other systems that say nothing to the model.
_IGNORED = frozenset(
    {
        "type",
        "strict",
        "title",
        "annotations",
        "outputSchema",
        "output_schema",
        "cache_control",
        "_meta",
    }
)
_KEPT = frozenset({"name", "description", "response", *_SCHEMA_KEYS})


def to_tools(offered: Iterable[ToolSource]) -> tuple[Tool, ...]:
    """Make tools of functions, schemas and tools.

    Raises:
        MessageError: if one cannot be made, or two have the same name.
    """
    tools = tuple(_to_tool(source) for source in offered)
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise MessageError(f"{names.count(name)} tools are named {name!r}; rename all but one")
    return tools


def tool_from_function(function: Callable[..., Any]) -> Tool:
    """Describe a function by its signature, type hints and docstring (Google, NumPy or Sphinx style).

    Raises:
        MessageError: if it has no description, an argument without type hint, or one that no call can carry.
    """
    if isinstance(function, functools.partial):
        raise MessageError(f"{function!r} has no name of its own; give a function that calls it")
    name = _checked_name(getattr(function, "__name__", type(function).__name__))
    owner = function if inspect.isroutine(function) else type(function).__call__
    documented = parse_docstring(inspect.getdoc(function))
    if not documented.description:
        raise MessageError(
            f"tool {name!r} has no description; begin its docstring with what it does"
        )
    hints = hints_of(owner, f"tool {name!r}")
    parameters = _parameters(function, name)
    properties = {
        parameter.name: _property(parameter, hints, documented.arguments, name)
        for parameter in parameters
    }
    for argument in documented.arguments:
        if argument not in properties:
            raise MessageError(
                f"the docstring of tool {name!r} describes {argument!r}, which is none of its "
                f"arguments ({', '.join(properties) or 'it has none'}); correct the name"
            )
    required = [one.name for one in parameters if one.default is one.empty]
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(name=name, description=documented.description, parameters=schema)


def tool_from_schema(schema: Mapping[str, Any]) -> Tool:
    """Read `{"type": "function", "function": {…}}` or a bare `{"name", "description", "parameters"}`.

    `input_schema` and `inputSchema` are read as `parameters`.

    Raises:
        MessageError: for a missing name, an unknown key, or parameters that are no object schema.
    """
    function = schema.get("function", schema)
    if not isinstance(function, Mapping):
        raise MessageError(
            f"a tool's 'function' is a {type(function).__name__}; it must be an object"
        )
    if schema.get("type", "function") not in ("function", "custom") or (
        schema.get("type") == "custom" and not any(key in function for key in _SCHEMA_KEYS)
    ):
        raise MessageError(f"a tool of type {schema['type']!r} cannot be offered; use 'function'")
    name = _checked_name(function.get("name"))
    outer = set(schema) - {"function"} if function is not schema else set()
    unknown = sorted(map(str, (set(function) - _KEPT - _IGNORED) | (outer - _IGNORED)))
    if unknown:
        raise MessageError(
            f"tool {name!r} has unknown keys {', '.join(unknown)}; known are {', '.join(sorted(_KEPT))}"
        )
    description = function.get("description") or ""
    response = function.get("response")
    if not isinstance(description, str) or not (response is None or isinstance(response, Mapping)):
        raise MessageError(f"tool {name!r}: 'description' must be text and 'response' an object")
    return Tool(
        name=name,
        description=description,
        parameters=_object_schema(function, name),
        response=response,
    )


def _to_tool(source: ToolSource) -> Tool:
    if isinstance(source, Tool):
        return source
    if isinstance(source, Mapping):
        return tool_from_schema(source)
    if callable(source) and not isinstance(source, type):
        return tool_from_function(source)
    raise MessageError(f"{source!r} is no tool; give a function, a JSON Schema object or a Tool")


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MessageError(f"a tool is named {name!r}; use letters, digits and _ - . : / only")
    return name


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise MessageError(
                f"tool {name!r} takes {parameter}, {parameter.kind.description}; "
                "calls give each argument by name"
            )
    return parameters


def _property(
    parameter: inspect.Parameter, hints: Mapping[str, Any], documented: Mapping[str, str], tool: str
) -> dict[str, Any]:
    where = f"argument {parameter.name!r} of tool {tool!r}"
    if parameter.name not in hints:
        raise MessageError(f"{where} has no type hint; write for example {parameter.name}: str")
    schema = schema_of_hint(hints[parameter.name], where)
    if parameter.name in documented:
        schema["description"] = documented[parameter.name]
    default = parameter.default
    default = default.value if isinstance(default, enum.Enum) else default
    if isinstance(default, str | int | float):
        schema["default"] = default
    return schema


def _object_schema(function: Mapping[str, Any], name: str) -> dict[str, Any]:
    given = [key for key in _SCHEMA_KEYS if function.get(key) is not None]
    if len(given) > 1:
        raise MessageError(f"tool {name!r} has both {' and '.join(given)}; give one")
    schema = function[given[0]] if given else {}
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise MessageError(f"tool {name!r}: {given[0]!r} must be a JSON Schema of type object")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping) or not all(
        isinstance(one, Mapping) for one in properties.values()
    ):
        raise MessageError(f"tool {name!r}: 'properties' must be an object of schemas")
    # Declarations are only complete with a type.
    return {**schema, "type": "object"} if schema else {}
