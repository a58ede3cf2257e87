"""What is noted of requests: metrics, log lines, headers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import LiveServer, live_server
from prometheus_client.parser import text_string_to_metric_families
from scripted_model import scripted_llm

from gemma4.serve.journal import close_journal, make_journal
from gemma4.serve.settings import ServeSettings

SECRET = "my secret words"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "serve.jsonl"


@pytest.fixture
def server(log: Path) -> Iterator[LiveServer]:
    journal = make_journal(log)
    with live_server([scripted_llm(lambda _: "Hello, world.")], journal=journal) as live:
        yield live
    close_journal(journal)


def post(live: LiveServer, content: str = SECRET, **more: Any) -> httpx2.Response:
    body = {"messages": [{"role": "user", "content": content}], "temperature": 0, **more}
    return httpx2.post(f"{live.url}/v1/chat/completions", json=body, trust_env=False, timeout=30)


def samples(live: LiveServer) -> dict[tuple[str, tuple[str, ...]], float]:
    text = httpx2.get(f"{live.url}/metrics", trust_env=False, timeout=30).text
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted(server: LiveServer) -> None:
    usage = [post(server, stream=False).json()["usage"]]
    usage.append(post(server, n=2).json()["usage"])
    post(server, stream=True)
    found = samples(server)
    model = ("scripted",)
    prompt = usage[0]["prompt_tokens"]
    assert found["vllm:prompt_tokens_total", model] == 3 * prompt
    assert found["vllm:generation_tokens_total", model] == 4 * usage[0]["completion_tokens"]
    assert found["vllm:request_success_total", ("stop", "scripted")] == 4
    assert found["vllm:time_to_first_token_seconds_count", model] == 3
    assert found["vllm:inter_token_latency_seconds_count", model] > 0
    assert found["vllm:e2e_request_latency_seconds_count", model] == 4
    assert found["vllm:num_requests_running", model] == 0
    assert found["gemma4:http_requests_total", ("/chat/completions", "200")] == 3


def test_cached_tokens_are_counted_and_told_before_the_stream(server: LiveServer) -> None:
    long = "a b c d " * 100
    first = post(server, content=long)
    second = post(server, content=long, stream=True)
    assert first.headers["x-gemma4-cached-tokens"] == "0"
    cached = int(second.headers["x-gemma4-cached-tokens"])
    assert cached > 300
    assert samples(server)["vllm:prefix_cache_hits_total", ("scripted",)] == cached


def test_no_label_is_a_clients_text(server: LiveServer) -> None:
    httpx2.get(f"{server.url}/made/up/{SECRET.replace(' ', '-')}", trust_env=False, timeout=30)
    httpx2.get(f"{server.url}/v1/models/made-up-name", trust_env=False, timeout=30)
    post(server, model="made-up-name")
    text = httpx2.get(f"{server.url}/metrics", trust_env=False, timeout=30).text
    assert "made" not in text
    assert samples(server)["gemma4:http_requests_total", ("none", "404")] == 1


def test_two_servers_count_for_themselves(server: LiveServer) -> None:
    post(server)
    with live_server([scripted_llm(lambda _: "Hello.")]) as other:
        assert ("vllm:prompt_tokens_total", ("scripted",)) not in samples(other)


def test_metrics_can_be_left_out() -> None:
    with live_server([scripted_llm(lambda _: "Hello.")], ServeSettings(metrics=False)) as live:
        assert httpx2.get(f"{live.url}/metrics", trust_env=False, timeout=30).status_code == 404


def test_a_line_for_each_request_and_not_a_word_of_it(server: LiveServer, log: Path) -> None:
    answer = post(server)
    httpx2.get(f"{server.url}/none", trust_env=False, timeout=30)
    text = log.read_text()
    first, second = (json.loads(line) for line in text.splitlines())
    assert first["id"] == answer.headers["x-gemma4-request-id"]
    assert (first["method"], first["route"], first["status"]) == (
        "POST",
        "/chat/completions",
        200,
    )
    assert (first["model"], first["completion_tokens"], first["finish"]) == ("scripted", 4, "stop")
    assert first["seconds"] >= first["first_token_seconds"] > 0
    assert (second["route"], second["status"]) == ("none", 404)
    assert "secret" not in text
    assert "Hello" not in text


def test_prompts_are_logged_when_told(log: Path) -> None:
    settings = ServeSettings(log_prompts=True)
    llm = scripted_llm(lambda _: "<|channel>thought\nHm.<channel|>Hello.")
    journal = make_journal(log)
    with live_server([llm], settings, journal=journal) as live:
        post(live, reasoning_effort="low", stream=True)
    close_journal(journal)
    line = json.loads(log.read_text())
    assert f"<|turn>user\n{SECRET}<turn|>" in line["prompt"]
    assert line["answer"] == "Hm.Hello."


def test_headers_say_what_answers(server: LiveServer) -> None:
    headers = post(server, stream=True).headers
    info = server.models.find(None).llm.info
    assert headers["x-gemma4-model"] == "scripted"
    assert headers["x-gemma4-device"] == info.device
    assert headers["x-gemma4-kernels"] == info.kernels
    assert headers["x-gemma4-template"] == info.template
