"""A tool as a model can be offered it: with a schema that a grammar can hold its calls to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import GrammarError, MessageError
from ..grammar.schema.findings import Findings
from ..grammar.schema.rules import Rules
from ..grammar.schema.syntax import GemmaSyntax
from ..grammar.schema.translate import Translator
from ..text.messages import Tool
from ..text.tools.define import tool_from_schema

Schema = Mapping[str, Any]


def loosened(tool: Tool, name: str) -> tuple[Tool, tuple[str, ...]]:
    """The tool under this name, its schema left looser where it must be, and remarks that say where."""
    parameters: Schema = tool.parameters
    remarks: list[str] = []
    if problem := _problem(parameters):
        parameters = _without_spots(parameters)
        remarks.append(f"tool {name!r}: the schema is loosened, for {problem}")
    remarks += [f"tool {name!r}: not enforced: {spot}" for spot in _spots(parameters)]
    return replace(tool, name=name, parameters=parameters), tuple(remarks)


def tool_of(name: str, description: str, schema: Schema) -> tuple[Tool, tuple[str, ...]]:
    """A tool of another program, whatever its schema; one that is no object is left out, and said."""
    plain = {"name": "tool", "description": description, "parameters": dict(schema)}
    try:
        return replace(tool_from_schema(plain), name=name), ()
    except MessageError as error:
        remark = f"tool {name!r}: the schema is left out, for {error}"
        return Tool(name=name, description=description), (remark,)


def _without_spots(schema: Schema) -> Schema:
    """The same without the arguments' schemas that cannot be read; names and descriptions stay."""
    rest = {key: value for key, value in schema.items() if key != "properties"}
    properties = schema.get("properties", {})
    kept = {
        name: one if not _problem({**rest, "properties": {name: one}}) else _described(one)
        for name, one in properties.items()
    }
    if not _problem({**rest, "properties": kept}):
        return {**rest, "properties": kept}
    plain = {name: _described(one) for name, one in properties.items()}
    return {"type": "object", "properties": plain} if plain else {"type": "object"}


def _described(schema: Schema) -> Schema:
    text = schema.get("description")
    return {"description": text} if isinstance(text, str) else {}


def _problem(schema: Schema) -> str:
    """Why no call can be held to it; empty if one can."""
    try:
        _translate(schema, Findings(strict=False))
    except GrammarError as error:
        return str(error)
    return ""


def _spots(schema: Schema) -> list[str]:
    findings = Findings(strict=False)
    _translate(schema, findings)
    return [str(spot) for spot in findings.loosened]


def _translate(schema: Schema, findings: Findings) -> None:
    """Read it as `grammar.calls` will.

    Raises:
        GrammarError: it is too large, or no call could ever satisfy it.
    """
    rules = Rules()
    start = Translator(
        {**schema, "type": "object"},
        GemmaSyntax(0),
        rules,
        findings,
        refused=lambda _: "",  # what the library itself refuses is found when a model is asked
        open_objects=False,
    ).translate()
    if not rules.is_possible(start):
        raise GrammarError("it contradicts itself: nothing satisfies it")
