"""One real server for all tests of OpenAI's protocol; a script answers in the model's place."""

import re
from collections.abc import Iterator

import openai
import pytest
from live_server import LiveServer, live_server
from raw_http import RawHttp
from scripted_model import scripted_llm

CALL = '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>'


def answer(prompt: str) -> str:
    """What the model says to the last user's words, or after a text that it goes on with."""
    turns = prompt.split("<|turn>")
    asked = next((t for t in reversed(turns) if t.startswith("user\n")), turns[-1])
    if "<|tool_response>" in turns[-1]:
        thought = "I see.<channel|>" if prompt.endswith("<|channel>thought\n") else ""
        return f"{thought}It is sunny."
    for word, said in ANSWERS.items():
        if re.search(rf"\b{word}\b", asked):
            return said
    return "Hello, world."


ANSWERS = {
    "weather": CALL,
    "twice": CALL + CALL,
    "clock": "<|tool_call>call:now{}<tool_call|>",
    "think": "<|channel>thought\nTwo and two.<channel|>Four.",
    "reason": "<|channel>thought\nI look.<channel|>Wait." + CALL,
    "long": "word " * 400,
    "emoji": "a🙂b é",
    "rare": "\U000e0fff!",
    "count": "one two\nSTOP three",
    "Transcribe": "It was said.",
    "number": '{"n":7}',
}


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    """Two models: `scripted`, and `org/other` whose name has a slash."""
    with live_server([scripted_llm(answer), scripted_llm(answer, name="org/other")]) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> openai.OpenAI:
    """OpenAI's own."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def http(server: LiveServer) -> RawHttp:
    """No client at all."""
    return RawHttp(server.url)
