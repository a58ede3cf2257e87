"""What is too much is refused before a stream opens, with the time to try again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from live_server import LiveServer, live_server, wait_until
from scripted_model import scripted_llm

from gemma4.serve.middleware.keys import hash_key
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


@pytest.fixture(scope="module")
def paced() -> Iterator[LiveServer]:
    hashes = tuple(hash_key(key) for key in ("a", "b", "c"))
    limits = Limits(requests_per_minute=3, tokens_per_minute=200)
    with server(limits, access=Access(key_hashes=hashes)) as live:
        yield live


def test_requests_of_one_key_are_counted(paced: LiveServer) -> None:
    for _ in range(3):
        assert post(paced, key="a", max_tokens=1).status_code == 200
    found = post(paced, key="a", max_tokens=1)
    assert (found.status_code, found.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(found.headers["retry-after"]) <= 20
    assert post(paced, key="b", max_tokens=1).status_code == 200
    headers = {"x-api-key": "a"}
    assert httpx2.get(f"{paced.url}/v1/models", headers=headers, trust_env=False).status_code == 200


def test_tokens_of_one_key_are_counted(paced: LiveServer) -> None:
    assert post(paced, key="c").status_code == 200
    assert post(paced, key="c", content="z").status_code == 200
    found = post(paced, key="c")
    assert found.status_code == 429
    assert "200 tokens a minute" in found.json()["error"]["message"]


def test_a_wait_for_nothing_costs_nothing() -> None:
    """A server without limits of this kind keeps no bucket and lets everything pass."""
    with server(Limits()) as live:
        started = time.monotonic()
        for _ in range(5):
            assert post(live, max_tokens=1).status_code == 200
        assert time.monotonic() - started < 5
