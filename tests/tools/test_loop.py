"""The loop of calls over a real `LLM` whose model is a script."""

from collections.abc import Iterator, Sequence

from scripted_model import Script, scripted_llm

from gemma4.llm.events import ContentDelta, Event, Finished
from gemma4.llm.question import ToolChoice
from gemma4.text.messages import Message, Text, Tool, ToolCall
from gemma4.tools import Denied, RoundsSpent, ToolAnswer, ToolResult, run_tools
from gemma4.tools.result import failure

ADD = Tool(
    name="add",
    description="Add.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
CALL = "<|tool_call>call:add{a:1,b:2}<tool_call|>"
TWO = f"{CALL}<|tool_call>call:add{{a:3,b:4}}<tool_call|>"


def once(call: str, answer: str) -> Script:
    """Calls first; answers once there is a result."""
    return lambda prompt: answer if "<|tool_response>" in prompt else call


def total(call: ToolCall) -> ToolResult:
    return ToolResult(parts=(Text(str(call.arguments["a"] + call.arguments["b"])),))


def loop(script: Script, *, max_rounds: int = 4, approve=lambda _: None, run=total) -> list:  # type: ignore[no-untyped-def, type-arg]
    llm = scripted_llm(script)

    def ask(said: Sequence[Message], choice: ToolChoice) -> Iterator[Event]:
        return llm.stream(said, tools=[ADD], tool_choice=choice, temperature=0)

    question = (Message(role="user", content=(Text("How much?"),)),)
    return list(run_tools(question, ask=ask, approve=approve, run=run, max_rounds=max_rounds))


def words(events: list) -> str:  # type: ignore[type-arg]
    return "".join(one.text for one in events if isinstance(one, ContentDelta))


def answers(events: list) -> list[ToolAnswer]:  # type: ignore[type-arg]
    return [one for one in events if isinstance(one, ToolAnswer)]


def test_results_go_back_and_the_answer_comes() -> None:
    prompts: list[str] = []

    def script(prompt: str) -> str:
        prompts.append(prompt)
        return once(TWO, "3 and 7.")(prompt)

    events = loop(script)
    assert words(events) == "3 and 7."
    assert [told.result.text for told in answers(events)] == ["3", "7"]
    assert [one.finish_reason for one in events if isinstance(one, Finished)] == [
        "tool_calls",
        "stop",
    ]
    assert prompts[-1].count("<|tool_response>response:add") == 2
    assert prompts[-1].index('<|"|>3<|"|>') < prompts[-1].index('<|"|>7<|"|>')


def test_a_denied_call_is_not_run_and_the_model_is_told() -> None:
    prompts: list[str] = []

    def script(prompt: str) -> str:
        prompts.append(prompt)
        return once(CALL, "As you like.")(prompt)

    def run(_: ToolCall) -> ToolResult:
        raise AssertionError("it was denied")

    events = loop(script, approve=lambda _: Denied("the user denied it"), run=run)
    (told,) = answers(events)
    assert told.denied
    assert told.result.is_error
    assert "the call was not run: the user denied it" in prompts[-1]
    assert words(events) == "As you like."


def test_ctrl_c_ends_the_call_and_not_the_answer() -> None:
    def run(_: ToolCall) -> ToolResult:
        raise KeyboardInterrupt

    events = loop(once(CALL, "Stopped then."), run=run)
    (told,) = answers(events)
    assert told.result.text == "error: the user stopped the call before it was done"
    assert words(events) == "Stopped then."


def test_rounds_end_and_the_model_must_answer() -> None:
    """The script would call for ever; the last round's grammar lets it only answer in words."""
    events = loop(lambda _: CALL, max_rounds=3)
    assert len(answers(events)) == 3
    assert events.index(RoundsSpent(3)) > events.index(answers(events)[-1])
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason != "tool_calls"


def test_an_error_of_a_tool_is_a_result() -> None:
    events = loop(once(CALL, "It failed."), run=lambda _: failure("disk full"))
    (told,) = answers(events)
    assert told.result.is_error
    assert not told.denied
    assert words(events) == "It failed."
