"""`/api/embed` and `/api/embeddings` by Ollama's own client."""

import math

import httpx2
import ollama
import pytest


def length(vector: list[float]) -> float:
    return math.sqrt(sum(value * value for value in vector))


def test_one_text_and_several(client: ollama.Client) -> None:
    found = client.embed("scripted", ["a cat", "a dog"])
    assert len(found.embeddings) == 2
    assert [length(list(one)) for one in found.embeddings] == pytest.approx([1, 1], abs=1e-5)
    assert found.embeddings[0] != found.embeddings[1]
    assert found.prompt_eval_count == 6  # <bos> and two words each
    assert found.total_duration >= found.load_duration >= 0
    alone = client.embed("scripted", "a cat").embeddings[0]
    assert list(alone) == pytest.approx(list(found.embeddings[0]), abs=1e-5)


def test_the_older_route(client: ollama.Client) -> None:
    old = client.embeddings("scripted", "a cat").embedding
    assert list(old) == pytest.approx(
        list(client.embed("scripted", "a cat").embeddings[0]), abs=1e-5
    )


def test_fewer_dimensions(client: ollama.Client) -> None:
    found = client.embed("scripted", "a cat", dimensions=8).embeddings[0]
    assert len(found) == 8
    assert length(list(found)) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ollama.ResponseError, match="dimensions is 4096"):
        client.embed("scripted", "a cat", dimensions=4096)


def test_a_long_text_is_cut_and_said_or_refused(http: httpx2.Client) -> None:
    body = {"model": "scripted", "input": ["short", "a b " * 50], "options": {"num_ctx": 16}}
    found = http.post("/api/embed", json=body).json()
    assert found["gemma4"]["warnings"] == ["input[1] was cut to 16 tokens"]
    assert found["prompt_eval_count"] == 18
    body = {"model": "scripted", "input": "a b " * 5000, "truncate": False}
    refused = http.post("/api/embed", json=body)
    assert refused.status_code == 400
    assert "8192" in refused.json()["error"]


@pytest.mark.parametrize("texts", ["", [], ["x", ""]])
def test_nothing_is_refused(http: httpx2.Client, texts: object) -> None:
    found = http.post("/api/embed", json={"model": "scripted", "input": texts})
    assert found.status_code == 400
    assert "input" in found.json()["error"]
