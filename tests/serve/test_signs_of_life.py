"""A stream in which nothing comes for a while says that it lives, in its protocol's own way."""

import httpx2
from live_server import live_server
from scripted_model import scripted_llm

from gemma4.serve.settings import Limits, ServeSettings


def test_pings_between_slow_words() -> None:
    settings = ServeSettings(limits=Limits(ping_seconds=0.05))
    slow = scripted_llm(lambda _: "Hello, slow world.", step_seconds=0.3)
    with live_server([slow], settings) as live:
        asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3, "stream": True}
        text = httpx2.post(f"{live.url}/v1/messages", json=asked, timeout=60).text
        assert text.count('event: ping\ndata: {"type": "ping"}\n\n') > 3
        assert text.index("event: message_start") < text.index("event: ping")
        items = {"input": "hi", "max_output_tokens": 3, "stream": True}
        text = httpx2.post(f"{live.url}/v1/responses", json=items, timeout=60).text
        assert text.count(": ping\n\n") > 3
        items = {**items, "background": True}
        text = httpx2.post(f"{live.url}/v1/responses", json=items, timeout=60).text
        assert text.count(": ping\n\n") > 3
