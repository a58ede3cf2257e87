"""OpenAI's agents against a real server: their loop of calls and results, by both of OpenAI's protocols."""

import asyncio
from collections.abc import Iterator
from typing import Any

import agents
import openai
import pytest
from live_server import LiveServer, live_server
from pydantic import BaseModel
from scripted_model import scripted_llm

CALL = '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>'


def answer(prompt: str) -> str:
    if "<|tool_response>" in prompt:
        return "It is sunny." if "sunny in Ulm" in prompt else "I do not know."
    if "weather" in prompt.rpartition("<|turn>user")[2]:
        return CALL
    return '{"total":4}'


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer)]) as live:
        yield live


class Sum(BaseModel):
    total: int


async def run(server: LiveServer, kind: str, words: str, *, streamed: bool, **more: Any) -> Any:
    @agents.function_tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"sunny in {city}"

    agents.set_tracing_disabled(True)
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0
    ) as client:
        model = getattr(agents, kind)(model="scripted", openai_client=client)
        tools = [] if "output_type" in more else [weather]
        agent = agents.Agent(name="a", instructions="Be kind.", model=model, tools=tools, **more)
        if not streamed:
            return (await agents.Runner.run(agent, words)).final_output
        running = agents.Runner.run_streamed(agent, words)
        async for _ in running.stream_events():
            pass
        return running.final_output


@pytest.mark.parametrize("kind", ["OpenAIResponsesModel", "OpenAIChatCompletionsModel"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_read(
    server: LiveServer, kind: str, streamed: bool
) -> None:
    found = asyncio.run(run(server, kind, "What is the weather in Ulm?", streamed=streamed))
    assert found == "It is sunny."


def test_a_typed_output(server: LiveServer) -> None:
    found = asyncio.run(
        run(server, "OpenAIResponsesModel", "Two and two?", streamed=False, output_type=Sum)
    )
    assert found == Sum(total=4)
