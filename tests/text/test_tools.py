"""Tools come from functions with three styles of docstring, and from JSON Schema; faults say why."""

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pytest

from gemma4.errors import MessageError
from gemma4.text.messages import Tool
from gemma4.text.tools.define import to_tools, tool_from_function, tool_from_schema
from gemma4.text.tools.docstrings import parse_docstring


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclasses.dataclass
class Place:
    name: str
    height: float = 0.0


class Stop(TypedDict, total=False):
    place: str


@dataclasses.dataclass
class Knot:
    next: "Knot | None"


def weather(
    city: str,
    days: int = 3,
    *,
    unit: Literal["c", "f"] = "c",
    exact: bool | None = None,
) -> dict[str, Any]:
    """Tell the weather of a city.

    It asks the nearest station.

    Args:
        city: The name of the city,
            with its country: "Rome, Italy".
        days (int, optional): How many days.
        unit: Degrees.

    Returns:
        A forecast: days by date.
    """
    return {"city": city, "days": days, "unit": unit, "exact": exact}


def test_a_function_becomes_a_tool() -> None:
    assert tool_from_function(weather) == Tool(
        name="weather",
        description="Tell the weather of a city.\n\nIt asks the nearest station.",
        parameters={
            "type": "object",
            "properties": {
                "city": {
                    "type": "string",
                    "description": 'The name of the city, with its country: "Rome, Italy".',
                },
                "days": {"type": "integer", "description": "How many days.", "default": 3},
                "unit": {
                    "type": "string",
                    "enum": ["c", "f"],
                    "description": "Degrees.",
                    "default": "c",
                },
                "exact": {"type": "boolean", "nullable": True},
            },
            "required": ["city"],
        },
    )


GOOGLE = """Do it.

    Args:
        first: One.
        second (str): Two
            lines: both.

    Returns:
        nothing: at all.
    """
NUMPY = """Do it.

    Parameters
    ----------
    first : int
        One.
    second
        Two
        lines: both.

    Returns
    -------
    nothing : None
        at all.
    """
SPHINX = """Do it.

    :param first: One.
    :param str second: Two
        lines: both.
    :type first: int
    :returns: nothing: at all.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_three_styles_of_docstring_say_the_same(text: str) -> None:
    found = parse_docstring(text)
    assert found.description == "Do it."
    assert found.arguments == {"first": "One.", "second": "Two lines: both."}


def test_a_docstring_without_sections_is_all_description() -> None:
    found = parse_docstring("Do it: now.\n\n    Returns nothing. Args are ignored.\n")
    assert found.description == "Do it: now.\n\nReturns nothing. Args are ignored."
    assert found.arguments == {}
    assert parse_docstring(None).description == ""


def test_numpy_arguments_may_share_a_description() -> None:
    text = "Do it.\n\nParameters\n----------\na, b : int\n    Both.\n"
    assert parse_docstring(text).arguments == {"a": "Both.", "b": "Both."}


HINTS: list[tuple[Any, dict[str, Any]]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (Any, {}),
    (list, {"type": "array"}),
    (dict, {"type": "object"}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (
        list[dict[str, str]],
        {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}},
    ),
    (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
    (dict[str, Any], {"type": "object"}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
    (Literal["a", None], {"type": "string", "enum": ["a"], "nullable": True}),
    (Unit, {"type": "string", "enum": ["c", "f"]}),
    (Optional[str], {"type": "string", "nullable": True}),  # noqa: UP045 - the old spelling is read too
    (int | None, {"type": "integer", "nullable": True}),
    (Union[int, str], {"type": ["integer", "string"]}),  # noqa: UP007 - the old spelling is read too
    (
        int | list[int],
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
    ),
    (Annotated[str, "A name."], {"type": "string", "description": "A name."}),
    (Stop, {"type": "object", "properties": {"place": {"type": "string"}}, "required": []}),
    (
        Place,
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "height": {"type": "number"}},
            "required": ["name"],
        },
    ),
]


@pytest.mark.parametrize(("hint", "schema"), HINTS, ids=[str(hint) for hint, _ in HINTS])
def test_type_hints_become_schemas(hint: Any, schema: dict[str, Any]) -> None:
    def tool(value: Any) -> None:
        """Do it."""

    tool.__annotations__ = {"value": hint}
    assert tool_from_function(tool).parameters["properties"] == {"value": schema}


def test_methods_and_callable_objects_are_tools() -> None:
    class Clock:
        """Tell the time."""

        def __call__(self, zone: str) -> str:
            return zone

        def set(self, zone: Unit = Unit.CELSIUS) -> None:
            """Set the clock."""

    call, method = to_tools([Clock(), Clock().set])
    assert (call.name, call.description) == ("Clock", "Tell the time.")
    assert call.parameters["required"] == ["zone"]
    assert method.parameters["properties"] == {
        "zone": {"type": "string", "enum": ["c", "f"], "default": "c"}
    }


def _faulty() -> list[tuple[Callable[..., Any], str]]:
    def undescribed(a: str) -> None: ...
    def unhinted(a) -> None:  # type: ignore[no-untyped-def]
        """Do it."""

    def variadic(*rest: str) -> None:
        """Do it."""

    def positional(a: str, /) -> None:
        """Do it."""

    def strange(a: bytes) -> None:
        """Do it."""

    def unknown_name(a: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821 - the fault under test
        """Do it."""

    def knotted(a: Knot) -> None:
        """Do it."""

    def misspelt(city: str) -> None:
        """Do it.

        Args:
            citi: a city.
        """

    def numbered(a: dict[int, str]) -> None:
        """Do it."""

    return [
        (
            undescribed,
            "tool 'undescribed' has no description; begin its docstring with what it does",
        ),
        (unhinted, "argument 'a' of tool 'unhinted' has no type hint; write for example a: str"),
        (variadic, "takes \\*rest: str, variadic positional; calls give each argument by name"),
        (positional, "takes a: str, positional-only; calls give each argument by name"),
        (strange, "tool 'strange' has the type bytes, which a tool cannot take; use"),
        (unknown_name, "of tool 'unknown_name' cannot be read: name 'Nowhere' is not defined"),
        (knotted, "tool 'knotted'.next has the type Knot, which contains itself; use dict"),
        (misspelt, "describes 'citi', which is none of its arguments \\(city\\); correct the name"),
        (numbered, "tool 'numbered' has the type dict\\[int, str\\], which a tool cannot take"),
        (lambda: None, "a tool is named '<lambda>'; use letters, digits and _ - . : / only"),
        (
            functools.partial(weather, "Rome"),
            "has no name of its own; give a function that calls it",
        ),
    ]


@pytest.mark.parametrize(
    ("function", "message"), _faulty(), ids=lambda case: getattr(case, "__name__", "")
)
def test_functions_that_cannot_be_tools_say_why(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(MessageError, match=message):
        tool_from_function(function)


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "function",
            "function": {"name": "f", "description": "Do it.", "parameters": SCHEMA},
        },
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Do it.",
                "parameters": SCHEMA,
                "strict": True,
            },
        },
        {
            "type": "function",
            "name": "f",
            "description": "Do it.",
            "parameters": SCHEMA,
            "strict": None,
        },
        {"name": "f", "description": "Do it.", "parameters": SCHEMA},
        {
            "name": "f",
            "description": "Do it.",
            "input_schema": SCHEMA,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "custom", "name": "f", "description": "Do it.", "input_schema": SCHEMA},
        {
            "name": "f",
            "description": "Do it.",
            "inputSchema": SCHEMA,
            "annotations": {"readOnlyHint": True},
        },
        {
            "name": "f",
            "description": "Do it.",
            "parameters": {k: v for k, v in SCHEMA.items() if k != "type"},
        },
    ],
)
def test_schemas_of_every_client_mean_the_same(schema: dict[str, Any]) -> None:
    assert tool_from_schema(schema) == Tool(name="f", description="Do it.", parameters=SCHEMA)


def test_description_and_parameters_may_be_missing() -> None:
    assert tool_from_schema({"name": "mcp:x.y/z-1"}) == Tool(name="mcp:x.y/z-1", description="")


def test_a_declared_response_is_kept() -> None:
    tool = tool_from_schema({"name": "f", "response": {"type": "object"}})
    assert tool.response == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, "a tool is named None; use letters"),
        (
            {"name": "two words"},
            "a tool is named 'two words'; use letters, digits and _ - . : / only",
        ),
        (
            {"name": "f", "parametres": {}},
            "tool 'f' has unknown keys parametres; known are description, ",
        ),
        (
            {"type": "function", "function": {"name": "f"}, "name": "g"},
            "tool 'f' has unknown keys name",
        ),
        (
            {"type": "function", "function": "f"},
            "a tool's 'function' is a str; it must be an object",
        ),
        ({"type": "web_search"}, "a tool of type 'web_search' cannot be offered; use 'function'"),
        (
            {"name": "f", "parameters": {"type": "array"}},
            "'parameters' must be a JSON Schema of type object",
        ),
        ({"name": "f", "parameters": [1]}, "'parameters' must be a JSON Schema of type object"),
        (
            {"name": "f", "parameters": {"properties": {"a": 1}}},
            "'properties' must be an object of schemas",
        ),
        (
            {"name": "f", "parameters": {}, "input_schema": {}},
            "has both parameters and input_schema; give one",
        ),
        ({"name": "f", "description": 1}, "'description' must be text and 'response' an object"),
    ],
)
def test_schemas_that_make_no_sense_say_why(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(MessageError, match=message):
        tool_from_schema(schema)


def test_tools_of_all_kinds_are_taken_together() -> None:
    ready = Tool(name="ready", description="")
    tools = to_tools([weather, {"name": "f"}, ready])
    assert [tool.name for tool in tools] == ["weather", "f", "ready"]
    assert tools[2] is ready


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(MessageError, match="2 tools are named 'f'; rename all but one"):
        to_tools([{"name": "f"}, {"name": "f"}])


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(
        MessageError, match=r"<class '.*Place'> is no tool; give a function, a JSON"
    ):
        to_tools([Place])
    with pytest.raises(MessageError, match="'weather' is no tool; give a function, a JSON Schema"):
        to_tools(["weather"])  # type: ignore[list-item]
