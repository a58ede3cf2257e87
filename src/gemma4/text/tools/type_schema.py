"""JSON Schema of a Python type hint.

`None` beside another type becomes `nullable`, the spelling that Gemma's declarations use.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ...errors import MessageError

_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}
_SUPPORTED = (
    "str, int, float, bool, list[X], dict[str, X], Literal, Enum, Optional, Union, "
    "a dataclass or a TypedDict"
)


def schema_of_hint(hint: Any, where: str, *, within: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Describe a type hint.

    Args:
        where: the argument it belongs to, for messages.
        within: classes being described, to find those that contain themselves.

    Raises:
        MessageError: for a hint that JSON has no counterpart of.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _described(schema_of_hint(arguments[0], where, within=within), arguments[1:])
    if hint is Any:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if origin in (Union, types.UnionType):
        return _union(arguments, where, within)
    if origin is Literal:
        return _choice(list(arguments), where)
    if origin in (list, Sequence) and len(arguments) == 1:
        return {"type": "array", "items": schema_of_hint(arguments[0], where, within=within)}
    if origin in (dict, Mapping) and arguments[:1] == (str,):
        values = schema_of_hint(arguments[1], where, within=within)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if isinstance(hint, type):
        return _class(hint, where, within)
    raise _unsupported(hint, where)


def hints_of(owner: Any, where: str) -> dict[str, Any]:
    """Type hints of a function or class, names resolved.

    Raises:
        MessageError: for a hint that names what cannot be found.
    """
    try:
        return get_type_hints(owner, include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise MessageError(f"the type hints of {where} cannot be read: {error}") from error


def _class(hint: type, where: str, within: tuple[Any, ...]) -> dict[str, Any]:
    if issubclass(hint, enum.Enum):
        return _choice([member.value for member in hint], where)
    if hint in within:
        raise MessageError(f"{where} has the type {hint.__name__}, which contains itself; use dict")
    if dataclasses.is_dataclass(hint):
        fields = [field for field in dataclasses.fields(hint) if field.init]
        names = [field.name for field in fields]
        required = [field.name for field in fields if not _has_default(field)]
    elif typing.is_typeddict(hint):
        names = list(hint.__annotations__)
        required = [name for name in names if name in getattr(hint, "__required_keys__", ())]
    else:
        raise _unsupported(hint, where)
    hints = hints_of(hint, where)
    properties = {
        name: schema_of_hint(hints[name], f"{where}.{name}", within=(*within, hint))
        for name in names
    }
    return {"type": "object", "properties": properties, "required": required}


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _union(arguments: Sequence[Any], where: str, within: tuple[Any, ...]) -> dict[str, Any]:
    schemas = [
        schema_of_hint(one, where, within=within) for one in arguments if one is not type(None)
    ]
    nullable = {"nullable": True} if len(schemas) < len(arguments) else {}
    if len(schemas) == 1:
        return schemas[0] | nullable
    if all(schema.keys() == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]} | nullable
    return {"anyOf": schemas} | nullable


def _choice(values: list[Any], where: str) -> dict[str, Any]:
    nullable = {"nullable": True} if None in values else {}
    values = [value for value in values if value is not None]
    kinds = {type(value) for value in values}
    if not kinds or not kinds <= {str, int, float, bool}:
        raise MessageError(f"{where} offers the choices {values!r}; use texts, numbers or bool")
    names = sorted(_PLAIN[kind] for kind in kinds)
    return {"type": names[0] if len(names) == 1 else names, "enum": values} | nullable


def _described(schema: dict[str, Any], notes: Sequence[Any]) -> dict[str, Any]:
    texts = [note for note in notes if isinstance(note, str)]
    return schema | ({"description": texts[0]} if texts else {})


def _unsupported(hint: Any, where: str) -> MessageError:
    name = getattr(hint, "__name__", None) if isinstance(hint, type) else None
    return MessageError(
        f"{where} has the type {name or hint}, which a tool cannot take; use {_SUPPORTED}"
    )
