"""What a server tells of its models."""

from collections.abc import Iterator

import httpx2
import pytest
from live_server import LiveServer, live_server
from raw_http import RawHttp
from scripted_model import scripted_llm


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(
        [scripted_llm(lambda _: "word " * 2000, max_requests=3, step_seconds=0.01)]
    ) as live:
        yield live


@pytest.fixture
def http(server: LiveServer) -> RawHttp:
    return RawHttp(server.url)


def test_properties(http: RawHttp) -> None:
    found = http.get("/props", model="scripted")
    assert (found["model"], found["n_ctx"], found["total_slots"]) == ("scripted", 8192, 3)
    assert found["modalities"] == {"vision": True, "audio": True, "video": True}
    assert found["thinking"]
    assert found["tools"]
    assert found["default_generation_settings"] == {
        "temperature": 1.0, "top_k": 64, "top_p": 0.95, "min_p": 0.0, "repetition_penalty": 1.0,
    }  # fmt: skip
    assert found["limits"]["image_budgets"] == [70, 140, 280, 560, 1120]
    assert found["limits"]["max_body_bytes"] > 0
    assert http.get("/props") == found


def test_slots_follow_the_engine(http: RawHttp) -> None:
    idle = http.get("/slots")
    assert [slot["id"] for slot in idle] == [0, 1, 2]
    assert not any(slot["is_processing"] for slot in idle)

    body = {"prompt": "a", "max_tokens": 1500, "stream": True, "temperature": 0}
    with httpx2.stream("POST", f"{http.url}/v1/completions", json=body) as answer:
        lines = answer.iter_lines()  # kept, for its end is the stream's
        next(lines)
        busy = http.get("/slots")
        assert [slot["is_processing"] for slot in busy] == [True, False, False]
        assert busy[0]["engine"]["running"] == 1


def test_an_unknown_model_is_404(http: RawHttp) -> None:

    for path in ("/props", "/slots"):
        assert httpx2.get(f"{http.url}{path}?model=none").status_code == 404
