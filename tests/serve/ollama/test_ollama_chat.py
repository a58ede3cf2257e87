"""`/api/chat` by Ollama's own client, and line by line."""

import asyncio
import base64
import io
import json
import re
from pathlib import Path

import httpx2
import ollama
import pytest
from live_server import LiveServer
from PIL import Image

SPEECH = Path(__file__).parents[2] / "data" / "media" / "speech.ogg"
HI = [{"role": "user", "content": "hi"}]
GREEDY = {"temperature": 0}


def weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: its name.
        days: how many.
    """
    return f"sunny in {city} for {days}"


def test_an_answer_as_a_whole(client: ollama.Client) -> None:
    found = client.chat("scripted", messages=HI, options=GREEDY)
    assert found.message.role == "assistant"
    assert found.message.content == "1 asked."
    assert (found.done, found.done_reason) == (True, "stop")
    assert found.prompt_eval_count > 0
    assert found.eval_count == 3
    assert found.total_duration >= found.eval_duration + found.prompt_eval_duration
    assert found.created_at.endswith("Z")


def test_a_stream_is_the_same_in_pieces(client: ollama.Client) -> None:
    parts = list(client.chat("scripted:latest", messages=HI, stream=True, options=GREEDY))
    assert "".join(part.message.content for part in parts) == "1 asked."
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 2
    assert parts[0].model == "scripted:latest"


def test_the_asynchronous_client(server: LiveServer) -> None:
    async def run() -> tuple[str, str]:
        async with ollama.AsyncClient(server.url) as one:
            whole = await one.chat("scripted", messages=HI)
            stream = await one.chat("scripted", messages=HI, stream=True)
            return whole.message.content, "".join([part.message.content async for part in stream])

    assert asyncio.run(run()) == ("1 asked.", "1 asked.")


def test_streaming_is_the_default_and_every_line_is_an_object(http: httpx2.Client) -> None:
    found = http.post("/api/chat", json={"model": "scripted", "messages": HI, "options": GREEDY})
    assert found.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in found.text.splitlines()]
    assert lines[0].keys() == {"model", "created_at", "message", "done"}
    assert lines[0]["message"].keys() == {"role", "content"}
    last = lines[-1]
    assert last["message"] == {"role": "assistant", "content": ""}
    names = ("total", "load", "prompt_eval", "eval")
    assert all(isinstance(last[f"{name}_duration"], int) for name in names)
    assert last["gemma4"]["sampling"]["temperature"] == 0


@pytest.mark.parametrize("think", [True, "high", "low"])
def test_a_thought_stands_beside_the_answer(client: ollama.Client, think: bool | str) -> None:
    asked = [{"role": "user", "content": "think"}]
    found = client.chat("scripted", messages=asked, think=think)
    assert (found.message.thinking, found.message.content) == ("Two and two.", "Four.")
    parts = list(client.chat("scripted", messages=asked, think=think, stream=True))
    assert "".join(part.message.thinking or "" for part in parts) == "Two and two."
    assert not any(part.message.thinking and part.message.content for part in parts)


def test_nobody_thinks_unasked(http: httpx2.Client) -> None:
    body = {"model": "scripted", "messages": HI, "stream": False}
    assert http.post("/api/chat", json=body).json()["gemma4"]["thinking"] is False
    on = http.post("/api/chat", json={**body, "think": True}).json()
    assert on["gemma4"]["thinking"] is True
    wrong = http.post("/api/chat", json={**body, "think": "deeply"})
    assert wrong.status_code == 400
    assert "medium" in wrong.json()["error"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_python_function_is_called_and_answered(client: ollama.Client, streamed: bool) -> None:
    asked = [{"role": "user", "content": "weather?"}]
    if streamed:
        parts = client.chat("scripted", messages=asked, tools=[weather], stream=True)
        message = next(part.message for part in parts if part.message.tool_calls)
    else:
        found = client.chat("scripted", messages=asked, tools=[weather])
        assert found.done_reason == "stop"
        message = found.message
    function = message.tool_calls[0].function
    assert (function.name, dict(function.arguments)) == ("weather", {"city": "Ulm", "days": 2})
    result = {"role": "tool", "tool_name": "weather", "content": weather(**function.arguments)}
    followed = client.chat("scripted", messages=[*asked, message, result], tools=[weather])
    assert followed.message.content == "Sunny in Ulm."


def test_answers_of_tools_find_their_calls(http: httpx2.Client) -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("first", "second")]
    said = {"role": "assistant", "content": "", "tool_calls": calls}

    def ask(*answers: dict[str, str]) -> httpx2.Response:
        messages = [*HI, said, *({"role": "tool", "content": "42", **one} for one in answers)]
        return http.post(
            "/api/chat", json={"model": "scripted", "messages": messages, "stream": False}
        )

    assert ask({"tool_name": "second"}, {"tool_name": "first"}).status_code == 200
    assert ask({}, {}).status_code == 200
    wrong = ask({"tool_name": "third"})
    assert wrong.status_code == 400
    assert "first (call_1_0), second (call_1_1)" in wrong.json()["error"]


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (96, 96), "red").save(data, "PNG")
    return data.getvalue()


def test_a_picture_is_seen(client: ollama.Client, http: httpx2.Client) -> None:
    asked = [{"role": "user", "content": "picture", "images": [picture()]}]
    count = int(client.chat("scripted", messages=asked).message.content.split()[0])
    assert count > 1
    asked[0]["images"] = ["no picture!"]
    wrong = http.post("/api/chat", json={"model": "scripted", "messages": asked})
    assert wrong.status_code == 400
    assert "messages[0].images[0]" in wrong.json()["error"]


def test_a_sound_among_the_images_is_heard(http: httpx2.Client) -> None:
    sound = base64.b64encode(SPEECH.read_bytes()).decode()
    asked = [{"role": "user", "content": "picture", "images": [sound]}]
    body = {"model": "scripted", "messages": asked, "stream": False}
    found = http.post("/api/chat", json=body).json()
    assert [medium["kind"] for medium in found["gemma4"]["media"]] == ["audio"]


def test_a_duration_that_is_none_is_refused(http: httpx2.Client) -> None:
    found = http.post("/api/chat", json={"model": "scripted", "messages": HI, "keep_alive": "soon"})
    assert found.status_code == 400
    assert "5m" in found.json()["error"]


def test_options_have_ollamas_names(http: httpx2.Client) -> None:
    options = {
        "num_predict": 2, "seed": 7, "temperature": 0.5, "top_k": 20.0, "top_p": 0.9, "min_p": 0.1,
        "repeat_penalty": 1.1, "presence_penalty": 0.2, "frequency_penalty": 0.3, "stop": ["END"],
        "num_ctx": 4096,
    }  # fmt: skip
    body = {"model": "scripted", "messages": HI, "options": options, "stream": False}
    found = http.post("/api/chat", json=body).json()
    used = found["gemma4"]["sampling"]
    assert (found["done_reason"], found["eval_count"], used["max_tokens"]) == ("length", 2, 2)
    assert (used["seed"], used["temperature"], used["top_k"], used["top_p"]) == (7, 0.5, 20, 0.9)
    assert (used["min_p"], used["repetition_penalty"], used["stop"]) == (0.1, 1.1, ["END"])
    assert (used["presence_penalty"], used["frequency_penalty"]) == (0.2, 0.3)
    assert found["gemma4"]["warnings"] == []


@pytest.mark.parametrize("count", [-1, -2, 0])
def test_no_limit_is_no_limit(http: httpx2.Client, count: int) -> None:
    body = {"model": "scripted", "messages": HI, "options": {"num_predict": count}, "stream": False}
    found = http.post("/api/chat", json=body).json()
    assert found["gemma4"]["sampling"]["max_tokens"] is None
    assert found["message"]["content"] == "1 asked."


def test_a_seed_below_zero_is_drawn(http: httpx2.Client) -> None:
    options = {"seed": -1, "temperature": 1.0}
    body = {"model": "scripted", "messages": HI, "options": options, "stream": False}
    seeds = [http.post("/api/chat", json=body).json()["gemma4"]["sampling"]["seed"] for _ in "ab"]
    assert min(seeds) >= 0
    assert seeds[0] != seeds[1]


def test_a_stop_string_ends_the_answer(client: ollama.Client) -> None:
    found = client.chat("scripted", messages=HI, options={"stop": [" asked"]})
    assert (found.message.content, found.done_reason) == ("1", "stop")


def test_what_has_no_effect_is_said(http: httpx2.Client) -> None:
    options = {
        "num_gpu": 1, "mirostat": 2, "typical_p": 1.0, "repeat_last_n": 64, "num_ctx": 999_999,
        "wonder": 1, "num_thread": None,
    }  # fmt: skip
    body = {"model": "scripted", "messages": HI, "options": options, "stream": False}
    found = http.post("/api/chat", json=body)
    assert found.status_code == 200
    warnings = found.json()["gemma4"]["warnings"]
    named = [word for warning in warnings for word in re.findall(r"^(?:options\.)?(\w+)", warning)]
    assert named == ["num_gpu", "mirostat", "repeat_last_n", "wonder", "num_ctx"]
    assert "8192" in warnings[-1]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"num_predict": "many"}, "num_predict"), ({"temperature": -1}, "temperature"),
     ({"top_k": 1.5}, "top_k"), ({"num_ctx": True}, "num_ctx"), ({"stop": 3}, "stop")],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(
    http: httpx2.Client, options: dict[str, object], word: str
) -> None:
    found = http.post("/api/chat", json={"model": "scripted", "messages": HI, "options": options})
    assert found.status_code == 400
    assert word in found.json()["error"]


def test_num_ctx_caps_the_prompt(http: httpx2.Client) -> None:
    asked = [{"role": "user", "content": "a b " * 100}]
    body = {"model": "scripted", "messages": asked, "options": {"num_ctx": 64}}
    found = http.post("/api/chat", json=body)
    assert found.status_code == 400
    assert "64" in found.json()["error"]
    assert "8192" in found.json()["error"]
    body["options"] = {"num_ctx": 1024}
    assert http.post("/api/chat", json={**body, "stream": False}).status_code == 200


def test_an_unknown_model_is_404_with_a_remedy(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat("other", messages=HI)
    assert caught.value.status_code == 404
    assert "scripted" in caught.value.error
    with pytest.raises(ollama.ResponseError, match="8192"):
        next(
            client.chat(
                "scripted", messages=[{"role": "user", "content": "a " * 9000}], stream=True
            )
        )


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'"x"', b'{"messages": 3}', b'{"messages": [{"role": "cook"}]}']
)
def test_a_body_that_is_none_is_400(http: httpx2.Client, body: bytes) -> None:
    found = http.post("/api/chat", content=body, headers={"content-type": "application/json"})
    assert found.status_code == 400
    assert isinstance(found.json()["error"], str)


def test_log_probabilities(client: ollama.Client) -> None:
    found = client.chat("scripted", messages=HI, options=GREEDY, logprobs=True, top_logprobs=2)
    assert "".join(one.token for one in found.logprobs) == "1 asked."
    assert [len(one.top_logprobs) for one in found.logprobs] == [2] * len(found.logprobs)
    assert found.logprobs[0].logprob <= 0
