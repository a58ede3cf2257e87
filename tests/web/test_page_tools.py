"""The model asks for a tool, the user allows or denies it, and the model goes on with the result."""

import json

import pytest
from page_driver import Driver
from page_server import Refuse, Script, call, say, think, tool
from playwright.sync_api import expect

WEATHER = tool("weather", "Says the weather of a city.", city="string")
CLOCK = tool("clock", "Says the time.")


@pytest.fixture
def tools(chat: Driver, script: Script) -> Driver:
    script.tools = [WEATHER, CLOCK]
    script.results = {"weather": "Rain, 7 °C", "clock": "12:00"}
    return chat.reload()


def test_a_call_waits_for_permission_and_its_result_goes_back(
    tools: Driver, script: Script
) -> None:
    script.answer(think("I need the weather."), call("weather", {"city": "Oslo", "days": 2}))
    tools.ask("Umbrella?")
    card = tools.page.get_by_role("region", name="Tool weather")
    expect(card.locator("dl")).to_have_text("cityOslodays2")
    expect(card).to_contain_text("Waiting for your permission")
    assert script.calls == []
    assert script.bodies[0]["tools"] == [WEATHER, CLOCK]
    script.answer(say("Take one."))
    tools.button("Allow", card).click()
    expect(tools.prose).to_have_text("Take one.")
    assert script.calls == [{"name": "weather", "arguments": {"city": "Oslo", "days": 2}}]
    _question, answer, result = script.bodies[1]["messages"]
    assert answer["reasoning_content"] == "I need the weather."
    assert answer["tool_calls"][0]["function"]["name"] == "weather"
    assert json.loads(answer["tool_calls"][0]["function"]["arguments"]) == {
        "city": "Oslo",
        "days": 2,
    }
    assert result == {
        "role": "tool",
        "tool_call_id": "call_0",
        "name": "weather",
        "content": "Rain, 7 °C",
    }
    card.get_by_text("Result", exact=True).click()
    expect(card.locator(".tool-text pre")).to_have_text("Rain, 7 °C")
    expect(card).to_contain_text("Done in")


def test_a_denied_call_is_told_to_the_model(tools: Driver, script: Script) -> None:
    script.answer(call("weather", {"city": "Oslo"}))
    reply = tools.ask("Umbrella?")
    script.answer(say("Then I do not know."))
    tools.button("Deny", reply).click()
    expect(tools.prose).to_have_text("Then I do not know.")
    assert script.calls == []
    assert script.bodies[1]["messages"][-1]["content"] == "The user did not allow this call."
    expect(tools.page.locator(".tool")).to_contain_text("Not allowed")


def test_several_calls_go_back_together(tools: Driver, script: Script) -> None:
    script.answer(call("weather", {"city": "Oslo"}), call("clock", {}, index=1))
    tools.ask("Both")
    cards = tools.page.locator(".tool")
    expect(cards.nth(1)).to_contain_text("No arguments")
    tools.button("Allow", cards.nth(1)).click()
    expect(cards.nth(1)).to_contain_text("Done")
    assert len(script.bodies) == 1, "the other call has no result yet"
    script.answer(say("Both known."))
    tools.button("Allow", cards.nth(0)).click()
    expect(tools.prose).to_have_text("Both known.")
    assert [message["content"] for message in script.bodies[1]["messages"][-2:]] == [
        "Rain, 7 °C",
        "12:00",
    ]


def test_always_allow_runs_the_next_calls_and_can_be_taken_back(
    tools: Driver, script: Script
) -> None:
    script.answer(call("clock", {}))
    script.answer(call("clock", {}))
    script.answer(say("Noon."))
    reply = tools.ask("Time?")
    tools.button("Always allow here", reply).click()
    expect(tools.prose).to_have_text("Noon.")
    assert len(script.calls) == 2
    tools.settled()
    tools.settings().get_by_role("button", name="Runs without asking: ask again").click()
    script.answer(call("clock", {}))
    tools.ask("And now?")
    expect(tools.button("Allow")).to_be_visible()
    assert len(script.calls) == 2


def test_a_tool_that_fails_says_why(tools: Driver, script: Script) -> None:
    script.results["clock"] = Refuse(500, "The clock is broken.")
    script.answer(call("clock", {}))
    reply = tools.ask("Time?")
    script.answer(say("No idea."))
    tools.button("Allow", reply).click()
    expect(tools.prose).to_have_text("No idea.")
    expect(tools.page.locator(".tool.failed .tool-text pre")).to_have_text(
        "The tool failed: The clock is broken."
    )
    assert script.bodies[1]["messages"][-1]["content"] == "The tool failed: The clock is broken."
    tools.complaints.clear()  # the browser itself notes the 500


def test_a_tool_that_the_server_lacks_is_not_run(tools: Driver, script: Script) -> None:
    script.answer(call("rm_rf", {"path": "/"}))
    reply = tools.ask("Clean up")
    expect(reply).to_contain_text("The server has no tool called rm_rf: it cannot be run.")
    expect(tools.button("Allow", reply)).to_have_count(0)
    script.answer(say("Then not."))
    tools.button("Tell the model", reply).click()
    expect(tools.prose).to_have_text("Then not.")
    assert script.calls == []


def test_a_waiting_call_survives_a_reload(tools: Driver, script: Script) -> None:
    script.answer(call("clock", {}))
    tools.ask("Time?")
    tools.reload()
    script.answer(say("Noon."))
    tools.button("Allow").click()
    expect(tools.prose).to_have_text("Noon.")


def test_a_tool_can_be_stopped(tools: Driver, script: Script) -> None:
    tools.page.route("**/tools/call", lambda _route: None)  # the tool never answers
    script.answer(call("clock", {}))
    tools.ask("Time?")
    tools.button("Allow").click()
    card = tools.page.locator(".tool")
    expect(card).to_contain_text("Running")
    tools.button("Stop").click()
    expect(card).to_contain_text("The user stopped this tool.")
    assert len(script.bodies) == 1, "nobody asked the model to go on"
    tools.ask("Without it, then")
    assert script.bodies[1]["messages"][2]["content"] == "The user stopped this tool."


def test_a_call_nobody_answered_does_not_block_the_next_question(
    tools: Driver, script: Script
) -> None:
    script.answer(call("clock", {}))
    tools.ask("Time?")
    tools.ask("Never mind")
    assert [message["role"] for message in script.bodies[1]["messages"]] == [
        "user",
        "assistant",
        "tool",
        "user",
    ]
    assert "without answering" in script.bodies[1]["messages"][2]["content"]
    assert "reasoning_content" not in script.bodies[1]["messages"][1]


def test_tools_can_be_switched_off(tools: Driver, script: Script) -> None:
    panel = tools.settings()
    panel.get_by_label("weather").uncheck()
    tools.ask("One")
    assert [one["function"]["name"] for one in script.bodies[0]["tools"]] == ["clock"]
    panel.get_by_label("clock").uncheck()
    expect(tools.button("Tools off")).to_be_visible()
    tools.ask("None")
    assert "tools" not in script.bodies[1]


def test_no_tools_go_to_a_model_that_takes_none(tools: Driver, script: Script) -> None:
    tools.choose("Model", "gemma3:270m")
    expect(tools.page.locator(".quick")).not_to_contain_text("tool")
    tools.ask("Hi")
    assert "tools" not in script.bodies[0]
