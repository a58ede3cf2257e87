"""What the scripted model answers to tests of Ollama's protocol."""

from collections.abc import Iterator
from contextlib import contextmanager

from live_server import LiveServer, live_server
from scripted_model import scripted_llm

from gemma4.serve.settings import ServeSettings


def answer(prompt: str) -> str:
    """By words of the prompt."""
    if "weather" in prompt and "<|tool_response>" not in prompt:
        return '<|tool_call>call:weather{city:<|"|>Ulm<|"|>,days:2}<tool_call|>'
    if "sunny" in prompt:
        return "Sunny in Ulm."
    if "json" in prompt:
        thought = "<|channel>thought\nHm.<channel|>" if "think" in prompt else ""
        return thought + '{"city":"Ulm","days":2}'
    if "think" in prompt:
        return "<|channel>thought\nTwo and two.<channel|>Four."
    if "picture" in prompt:
        return f"{prompt.count('<|image|>')} soft tokens."
    if "long" in prompt:
        return "word " * 400
    if prompt.startswith("<bos>Once"):
        return " upon a time"
    return f"{prompt.count('<|turn>user')} asked."


@contextmanager
def ollama_server(settings: ServeSettings | None = None) -> Iterator[LiveServer]:
    """A live server with the scripted model."""
    with live_server([scripted_llm(answer)], settings) as live:
        yield live
