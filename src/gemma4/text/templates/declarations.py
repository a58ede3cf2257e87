"""How tools are declared to the model: `<|tool>declaration:NAME{…}<tool|>`, as the July 2026 templates do.

Written after the templates' own logic, its oddities included: what is absent prints as nothing, a type
that is a list prints as Python prints a list, an object without `properties` shows its other keys as if
they were properties.
"""

from collections.abc import Mapping
from typing import Any

from ..codec.tool_syntax import dictsort, format_argument
from ..tokens.special_tokens import STRING, TOOL_BEGIN, TOOL_END

_STANDARD_KEYS = frozenset({"description", "type", "properties", "required", "nullable"})


def format_declaration(tool: Mapping[str, Any]) -> str:
    """Write one tool, given as `{"type": "function", "function": {…}}`, with its markers."""
    function = tool["function"]
    text = (
        f"declaration:{_of(function, 'name')}{{description:{_quoted(_of(function, 'description'))}"
    )
    if parameters := _of(function, "parameters"):
        text += f",parameters:{{{_parameters(parameters)}"
    if "response" in function:
        text += f",response:{{{_response(function['response'])}"
    return f"{TOOL_BEGIN}{(text + '}').strip()}{TOOL_END}"


def _parameters(schema: Any) -> str:
    """The schema up to its closing brace, which the templates print only after a type."""
    text = ""
    if properties := _of(schema, "properties"):
        text += f"properties:{{{_properties(properties)}}},"
    if required := _of(schema, "required"):
        text += f"required:{_names(required)},"
    if kind := _of(schema, "type"):
        text += f"type:{_quoted(_upper(kind))}}}"
    return text


def _response(schema: Any) -> str:
    text = ""
    if description := _of(schema, "description"):
        text += f"description:{_quoted(description)},"
    if _upper(_of(schema, "type")) == "OBJECT":
        text += f"type:{_quoted('OBJECT')}}}"
    return text


def _properties(properties: Mapping[str, Any], *, skip_standard_keys: bool = False) -> str:
    return ",".join(
        f"{key}:{{{_property(schema)}}}"
        for key, schema in dictsort(properties)
        if not (skip_standard_keys and key in _STANDARD_KEYS)
    )


def _property(schema: Any) -> str:
    kind = _upper(_of(schema, "type"))
    fields = []
    if description := _of(schema, "description"):
        fields.append(f"description:{_quoted(description)}")
    if kind == "STRING" and (choices := _of(schema, "enum")):
        fields.append(f"enum:{format_argument(choices)}")
    elif kind == "ARRAY" and isinstance(items := _of(schema, "items"), Mapping) and items:
        fields.append(f"items:{{{_items(items)}}}")
    if _of(schema, "nullable"):
        fields.append("nullable:true")
    if kind == "OBJECT":
        fields += _object(schema)
    return ",".join([*fields, f"type:{_quoted(kind)}"])


def _object(schema: Mapping[str, Any]) -> list[str]:
    properties = _of(schema, "properties")
    if isinstance(properties, Mapping):
        fields = [f"properties:{{{_properties(properties)}}}"]
    else:
        fields = [f"properties:{{{_properties(schema, skip_standard_keys=True)}}}"]
    if required := _of(schema, "required"):
        fields.append(f"required:{_names(required)}")
    return fields


def _items(items: Mapping[str, Any]) -> str:
    return ",".join(_items_field(key, value) for key, value in dictsort(items) if value is not None)


def _items_field(key: str, value: Any) -> str:
    if key == "properties":
        return f"properties:{{{_properties(value) if isinstance(value, Mapping) else ''}}}"
    if key == "required":
        return f"required:{_names(value)}"
    if key == "type":
        upper = value.upper() if isinstance(value, str) else [_upper(kind) for kind in value]
        return f"type:{format_argument(upper)}"
    return f"{key}:{format_argument(value)}"


def _of(schema: Any, key: str) -> Any:
    """A field, or nothing at all: what is absent prints as an empty text."""
    return schema.get(key, "") if isinstance(schema, Mapping) else ""


def _upper(kind: Any) -> str:
    return str(kind).upper()


def _quoted(value: Any) -> str:
    return f"{STRING}{value}{STRING}"


def _names(names: Any) -> str:
    return f"[{','.join(map(_quoted, names))}]"
