"""One box over several sources: names that differ, schemas a grammar takes, results a model takes."""

import pytest
from scripted_model import scripted_llm

from gemma4.text.messages import Image, Text, Tool
from gemma4.tools import Toolbox, ToolResult
from gemma4.tools.offered import loosened, tool_of
from gemma4.tools.result import MOST_CHARACTERS, readable


class Source:
    """Says which tool of which source was called."""

    remarks = ("a remark",)

    def __init__(self, name: str, *tools: str) -> None:
        self.name = name
        self.tools = [Tool(name=tool, description="Do.") for tool in tools]
        self.is_open = True

    def call(self, name: str, arguments: object) -> ToolResult:
        return ToolResult(parts=(Text(f"{self.name}: {name} {arguments}"),))

    def close(self) -> None:
        self.is_open = False


def test_a_name_that_is_taken_gets_its_source_before_it() -> None:
    box = Toolbox(
        [Source("one", "read", "x y"), Source("my two", "read"), Source("my two", "read")]
    )
    assert [tool.name for tool in box.offered] == [
        "read", "x_y", "my_two__read", "my_two__read_2",
    ]  # fmt: skip
    assert "tool 'read' of my two is offered as 'my_two__read'" in box.remarks
    assert box.remarks.count("a remark") == 3
    assert box.call("my_two__read", {"a": 1}).text == "my two: read {'a': 1}"
    assert box.call("x_y", {}).text == "one: x y {}"


def test_all_sources_are_closed_even_if_one_fails() -> None:
    class Stuck(Source):
        def close(self) -> None:
            raise OSError("stuck")

    first, last = Source("a"), Source("b")
    with pytest.raises(OSError, match="stuck"), Toolbox([first, Stuck("c"), last]):
        pass
    assert not first.is_open
    assert not last.is_open


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize("bad", [nested(100), {"enum": []}], ids=["too deep", "contradiction"])
def test_a_schema_that_no_grammar_takes_is_loosened_where_it_must_be(
    bad: dict[str, object],
) -> None:
    schema = {
        "type": "object",
        "properties": {"good": {"type": "integer"}, "bad": {**bad, "description": "far away"}},
        "required": ["good", "bad"],
    }
    tool, remarks = loosened(Tool(name="t", description="Do.", parameters=schema), "t")
    assert tool.parameters["properties"] == {
        "good": {"type": "integer"},
        "bad": {"description": "far away"},
    }
    assert tool.parameters["required"] == ["good", "bad"]
    assert "the schema is loosened" in remarks[0]
    # And the model can be asked with it.
    llm = scripted_llm(lambda _: "<|tool_call>call:t{bad:1,good:1}<tool_call|>")
    answer = llm.chat("go", tools=[tool])
    assert answer.tool_calls[0].arguments == {"bad": 1, "good": 1}


def test_what_is_not_enforced_is_remarked() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    tool, remarks = loosened(Tool(name="t", description="", parameters=schema), "t")
    assert tool.parameters == schema
    assert remarks
    assert "uniqueItems" in remarks[0]


def test_a_schema_of_no_object_is_left_out() -> None:
    tool, remarks = tool_of("t", "Do.", {"type": "array"})
    assert tool.parameters == {}
    assert "left out" in remarks[0]


def test_a_result_is_made_what_the_model_can_take() -> None:
    result = ToolResult(parts=(Text("x" * (MOST_CHARACTERS + 5)), Image(b"1"), Text("tail")))
    shown = readable(result, ("text",))
    assert shown.parts[0].text.endswith("[5 more characters were left out]")  # type: ignore[union-attr]
    assert shown.parts[1] == Text("[image left out: this model takes no image]")
    assert shown.parts[2] == Text("\n[4 more characters were left out]")
    assert readable(result, ("text", "image")).media == (Image(b"1"),)
