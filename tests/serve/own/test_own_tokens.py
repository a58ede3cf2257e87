"""Tokens and templates over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from live_server import LiveServer, live_server
from raw_http import RawHttp
from scripted_model import scripted_llm


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(lambda _: "Yes.")]) as live:
        yield live


@pytest.fixture
def http(server: LiveServer) -> RawHttp:
    return RawHttp(server.url)


def test_there_and_back(http: RawHttp, server: LiveServer) -> None:
    text = "Why is the sky blue? 🙂\U000e0fff"
    found = http.post("/tokenize", {"content": text})
    tokenizer = server.models.find(None).llm.tokenizer
    assert found["tokens"] == tokenizer.encode(text)
    assert (found["count"], found["n_ctx"]) == (len(found["tokens"]), 8192)
    assert http.post("/detokenize", {"tokens": found["tokens"]}) == {"content": text}


def test_the_beginning_is_added_once(http: RawHttp) -> None:
    assert http.post("/tokenize", {"content": "", "add_special": True})["tokens"] == [2]
    body = {"content": "<bos>a", "add_special": True, "parse_special": True}
    assert http.post("/tokenize", body)["tokens"][:2] != [2, 2]


def test_control_tokens_are_words_unless_asked_for(http: RawHttp) -> None:
    assert http.post("/tokenize", {"content": "<|turn>"})["count"] > 1
    assert http.post("/tokenize", {"content": "<|turn>", "parse_special": True})["tokens"] == [105]


def test_pieces_are_text_or_bytes(http: RawHttp) -> None:
    found = http.post("/tokenize", {"content": "a\U000e0fff", "with_pieces": True})["tokens"]
    assert found[0]["piece"] == "a"
    assert [one["piece"] for one in found[1:]] == [[0xF3], [0xA0], [0xBF], [0xBF]]


def test_the_prompt_of_a_conversation(http: RawHttp) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    found = http.post("/apply-template", body)
    assert found["prompt"] == "<bos><|turn>user\nhi<turn|>\n<|turn>model\n"
    counted = http.post("/v1/chat/completions/input_tokens", body)["input_tokens"]
    assert found["input_tokens"] == counted
    tokens = {"content": found["prompt"], "parse_special": True}
    assert http.post("/tokenize", tokens)["count"] == counted
    assert found["template"].startswith("small.2026-07")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/tokenize", {}, "content"),
        ("/detokenize", {"tokens": [-1]}, "not in the vocabulary"),
        ("/detokenize", {"tokens": ["a"]}, "tokens"),
        ("/apply-template", {"messages": []}, "messages"),
    ],
)
def test_what_is_wrong_is_named(http: RawHttp, path: str, body: Any, words: str) -> None:
    assert words in http.error(path, body)["message"]


def test_half_a_character_is_no_text(http: RawHttp) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/tokenize", "/v1/chat/completions"):
        body = rb'{"content": "\ud800", "messages": [{"role": "user", "content": "\ud800"}]}'
        found = httpx2.post(f"{http.url}{path}", content=body, headers=headers)
        assert found.status_code == 400
