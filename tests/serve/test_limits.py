"""What is too much is refused before a stream opens, with the time to try again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from live_server import LiveServer, live_server, wait_until
from scripted_model import scripted_llm
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gemma4.serve.middleware.keys import hash_key
from gemma4.serve.middleware.rates import Rates
from gemma4.serve.record import Record, put_record, record_of
from gemma4.serve.settings import Access, Limits, ServeSettings


def body(content: str = "long", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "temperature": 0, **more}


def post(live: LiveServer, key: str = "none", **more: Any) -> httpx2.Response:
    headers = {"x-api-key": key}
    url = f"{live.url}/v1/chat/completions"
    return httpx2.post(url, json=body(**more), headers=headers, trust_env=False, timeout=30)


def server(limits: Limits, **more: Any) -> Any:
    llm = scripted_llm(lambda _: "word " * 100, max_requests=1, step_seconds=0.01)
    return live_server([llm], ServeSettings(limits=limits, **more))


def test_a_full_queue_is_429_with_a_time(  # before the status line of the stream
) -> None:
    with server(Limits(queue_length=1)) as live, ThreadPoolExecutor(2) as pool:
        held = [pool.submit(post, live) for _ in range(2)]
        wait_until(lambda: live.models.find(None).streams == 2)
        found = post(live, stream=True)
        assert (found.status_code, found.json()["error"]["code"]) == (429, "queue_full")
        assert int(found.headers["retry-after"]) > 0
        assert int(found.headers["retry-after-ms"]) == int(found.headers["retry-after"]) * 1000
        with pytest.raises(openai.RateLimitError), client(live) as theirs:
            theirs.chat.completions.create(model="scripted", **body(), stream=True)
        assert [one.result().status_code for one in held] == [200, 200]
        assert post(live).status_code == 200


def client(live: LiveServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)


def test_the_engines_own_full_queue_is_no_500() -> None:
    llm = scripted_llm(lambda _: "word " * 100, max_requests=1, max_waiting=1, step_seconds=0.01)
    with live_server([llm]) as live, ThreadPoolExecutor(2) as pool:
        held = [pool.submit(post, live) for _ in range(2)]
        wait_until(lambda: llm.streams.engine.counters.waiting == 1)
        found = post(live, stream=True)
        assert found.status_code == 503
        assert int(found.headers["retry-after"]) > 0
        assert "the limit is 1" in found.json()["error"]["message"]
        assert [one.result().status_code for one in held] == [200, 200]


def test_too_long_a_wait_is_503_and_frees_the_place() -> None:
    with server(Limits(queue_seconds=0.2)) as live, ThreadPoolExecutor(1) as pool:
        held = pool.submit(post, live)
        served = live.models.find(None)
        wait_until(lambda: served.streams == 1)
        found = post(live, stream=True)
        assert (found.status_code, found.json()["error"]["code"]) == (503, "queue_timeout")
        assert "retry-after" in found.headers
        assert held.result().status_code == 200
        wait_until(lambda: served.streams == 0)


def test_an_answer_that_takes_too_long_says_so_whole_and_streamed() -> None:
    with server(Limits(request_seconds=0.2)) as live:
        found = post(live)
        assert (found.status_code, found.json()["error"]["code"]) == (504, "request_timeout")
        streamed = post(live, stream=True)
        assert streamed.status_code == 200
        assert '"code": "request_timeout"' in streamed.text
        wait_until(lambda: live.models.find(None).streams == 0)


class Paced:
    """The middleware over an application that answers with so many tokens, by a clock that a test moves."""

    def __init__(self, **limits: int) -> None:
        self.now, self.tokens = 1000.0, 0
        self.app = Rates(self._answer, Limits(**limits), clock=lambda: self.now)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        record_of(scope).completion_tokens = self.tokens
        await Response()(scope, receive, send)

    def ask(self, key: str, method: str = "POST") -> tuple[int, int | None]:
        """The status, and the seconds to wait."""
        scope = {
            "type": "http",
            "method": method,
            "path": "/v1/x",
            "headers": [],
            "state": {"key": key},
        }
        put_record(scope, Record())
        heads: list[Message] = []

        async def send(message: Message) -> None:
            heads.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        asyncio.run(self.app(scope, receive, send))
        headers = dict(heads[0]["headers"])
        wait = headers.get(b"retry-after")
        return heads[0]["status"], None if wait is None else int(wait)


def test_requests_of_one_key_are_counted() -> None:
    paced = Paced(requests_per_minute=3)
    assert [paced.ask("a") for _ in range(4)] == [(200, None)] * 3 + [(429, 20)]
    assert paced.ask("b") == (200, None)
    assert paced.ask("a", method="GET") == (200, None)
    paced.now += 19.5
    assert paced.ask("a") == (429, 1)
    paced.now += 0.6
    assert paced.ask("a") == (200, None)
    paced.now += 3600
    assert [paced.ask("a")[0] for _ in range(4)] == [200, 200, 200, 429]


def test_tokens_of_one_key_are_counted_when_they_are_known() -> None:
    paced = Paced(tokens_per_minute=600)
    paced.tokens = 1000
    assert paced.ask("a") == (200, None)
    assert paced.ask("a") == (429, 41)  # 400 are owed and one is wanted, ten come in a second
    assert paced.ask("b") == (200, None)
    paced.now += 41
    assert paced.ask("a") == (200, None)


def test_a_refusal_by_rate_leaves_in_the_protocols_form() -> None:
    limits = Limits(requests_per_minute=1)
    with server(limits, access=Access(key_hashes=(hash_key("a"),))) as live:
        assert post(live, key="a", max_tokens=1).status_code == 200
        found = post(live, key="a", max_tokens=1)
        assert (found.status_code, found.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert found.json()["error"]["type"] == "rate_limit_error"
