"""The keywords of JSON Schema: which are enforced, which are not, and what their values must be."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from .document import Document
from .findings import Findings

KINDS: Final = ("null", "boolean", "integer", "number", "string", "array", "object")

_ANNOTATIONS = frozenset({
    "$schema", "$id", "$defs", "definitions", "$comment", "$anchor", "title", "description",
    "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding",
    "contentMediaType", "contentSchema", "then", "else", "discriminator", "externalDocs", "xml",
    "markdownDescription", "enumDescriptions", "markdownEnumDescriptions", "enumNames",
    "propertyOrdering", "strict",
})  # fmt: skip

_UNSUPPORTED: Mapping[str, str] = {
    "$dynamicRef": "it depends on the way that led there",
    "$recursiveRef": "it depends on the way that led there",
    "not": "a grammar says what may come, not what may not",
    "if": "a grammar cannot look back at what was written",
    "dependentRequired": "a grammar cannot look back at what was written",
    "dependentSchemas": "a grammar cannot look back at what was written",
    "dependencies": "a grammar cannot look back at what was written",
    "contains": "a grammar cannot count what matches",
    "minContains": "a grammar cannot count what matches",
    "maxContains": "a grammar cannot count what matches",
    "unevaluatedProperties": "a grammar cannot look back at what was written",
    "unevaluatedItems": "a grammar cannot look back at what was written",
    "nullable": "JSON Schema does not know it, so null is not offered; write it as a type",
}
_HARMLESS: Mapping[str, Any] = {
    "unevaluatedProperties": True,
    "unevaluatedItems": True,
    "nullable": False,
    "uniqueItems": False,
}


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_step(value: object) -> bool:
    return _is_number(value) and value > 0


def _is_schema(value: object) -> bool:
    return isinstance(value, Mapping | bool)


def _are_schemas(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_schema, value))


def _map_of_schemas(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_schema, value.values()))


def _are_kinds(value: object) -> bool:
    kinds = value if isinstance(value, list | tuple) else (value,)
    return bool(kinds) and all(kind in KINDS for kind in kinds)


_ENFORCED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "type": (_are_kinds, f"it is none of {', '.join(KINDS)}, or a list of them"),
    "enum": (lambda value: isinstance(value, list | tuple), "it is no list"),
    "const": (lambda _: True, ""),
    "allOf": (_are_schemas, "it is no list of schemas"),
    "anyOf": (_are_schemas, "it is no list of schemas"),
    "oneOf": (_are_schemas, "it is no list of schemas"),
    "$ref": (lambda value: isinstance(value, str), "it is no text"),
    "minimum": (_is_number, "it is no number"),
    "maximum": (_is_number, "it is no number"),
    "exclusiveMinimum": (lambda v: _is_number(v) or isinstance(v, bool), "it is no number"),
    "exclusiveMaximum": (lambda v: _is_number(v) or isinstance(v, bool), "it is no number"),
    "multipleOf": (_is_step, "it is no number above 0"),
    "minLength": (_is_count, "it is no whole number from 0"),
    "maxLength": (_is_count, "it is no whole number from 0"),
    "pattern": (lambda value: isinstance(value, str), "it is no text"),
    "format": (lambda value: isinstance(value, str), "it is no text"),
    "items": (lambda v: _is_schema(v) or v == [] or _are_schemas(v), "it is no schema"),
    "prefixItems": (_are_schemas, "it is no list of schemas"),
    "additionalItems": (_is_schema, "it is no schema"),
    "minItems": (_is_count, "it is no whole number from 0"),
    "maxItems": (_is_count, "it is no whole number from 0"),
    "uniqueItems": (lambda value: isinstance(value, bool), "it is neither true nor false"),
    "properties": (_map_of_schemas, "it is no map of schemas"),
    "patternProperties": (_map_of_schemas, "it is no map of schemas"),
    "additionalProperties": (_is_schema, "it is no schema"),
    "propertyNames": (_is_schema, "it is no schema"),
    "required": (
        lambda v: isinstance(v, list | tuple) and all(isinstance(name, str) for name in v),
        "it is no list of names",
    ),
    "minProperties": (_is_count, "it is no whole number from 0"),
    "maxProperties": (_is_count, "it is no whole number from 0"),
}


def checked_keywords(
    schema: Mapping[str, Any], pointer: str, document: Document, findings: Findings
) -> Mapping[str, Any]:
    """Look at every keyword of one subschema; return those that are enforced.

    Raises:
        GrammarError: a value is malformed; or, where findings are strict, a keyword is not enforced.
    """
    if not pointer and not document.known_dialect:
        findings.unsupported(pointer, "$schema", f"unknown dialect {schema['$schema']!r}")
    if document.lonely_refs and "$ref" in schema:
        schema = {"$ref": schema["$ref"]}
    enforced = {}
    for keyword, value in schema.items():
        if keyword in _ENFORCED:
            is_sound, problem = _ENFORCED[keyword]
            if is_sound(value):
                enforced[keyword] = value
            else:
                findings.malformed(pointer, keyword, problem)
        elif keyword in _UNSUPPORTED:
            if keyword not in _HARMLESS or _HARMLESS[keyword] != value:
                findings.unsupported(pointer, keyword, _UNSUPPORTED[keyword])
        elif keyword not in _ANNOTATIONS and not keyword.startswith("x-"):
            findings.unsupported(pointer, keyword, "it is not known")
    return enforced
