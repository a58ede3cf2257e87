"""Embeddings: the official client, in both encodings, and beside running answers."""

import base64
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
import torch
from live_server import LiveServer, live_server
from openai.types import CreateEmbeddingResponse
from raw_http import RawHttp
from tiny_chat import tiny_chat_directory

from gemma4 import load
from gemma4.llm.reading import embeddings

PATH = "/v1/embeddings"
TEXTS = ["Hello.", "Why is the sky blue?", "word " * 700]


@pytest.fixture(scope="module")
def tiny() -> Iterator[LiveServer]:
    """A model of random weights: its hidden states are real."""
    with live_server(
        [load(tiny_chat_directory(), kernels="off", drafter=None, context=2048)]
    ) as live:
        yield live


@pytest.fixture
def embedder(tiny: LiveServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def raw(tiny: LiveServer) -> RawHttp:
    return RawHttp(tiny.url)


def expected(tiny: LiveServer, text: str) -> np.ndarray:
    llm = tiny.models.find(None).llm
    ids = (llm.tokenizer.bos_id, *llm.tokenizer.encode(text))
    (vector,) = (one for one in embeddings(llm, [ids]) if one is not None)
    assert isinstance(vector, torch.Tensor)
    return vector.numpy()


def test_the_client_gets_the_models_own_vectors(embedder: openai.OpenAI, tiny: LiveServer) -> None:
    found = embedder.embeddings.create(model="", input=TEXTS)
    CreateEmbeddingResponse.model_validate(found.to_dict(), strict=True)
    assert [one.index for one in found.data] == [0, 1, 2]
    for text, one in zip(TEXTS, found.data, strict=True):
        assert np.array_equal(np.float32(one.embedding), expected(tiny, text))
    assert found.usage.prompt_tokens == found.usage.total_tokens > 700
    assert "mean" in found.to_dict()["gemma4"]["pooling"]
    assert "no embedding model" in found.to_dict()["gemma4"]["note"]


def test_alone_and_in_a_batch_are_the_same_bits(raw: RawHttp) -> None:
    together = raw.post(PATH, {"input": TEXTS})["data"]
    for text, one in zip(TEXTS, together, strict=True):
        assert raw.post(PATH, {"input": text})["data"][0]["embedding"] == one["embedding"]


def test_base64_is_little_endian_float32(raw: RawHttp) -> None:
    plain = raw.post(PATH, {"input": "Hi.", "encoding_format": "float"})["data"][0]["embedding"]
    packed = raw.post(PATH, {"input": "Hi.", "encoding_format": "base64"})["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == plain
    assert np.linalg.norm(plain) == pytest.approx(1.0, abs=1e-6)


def test_fewer_dimensions(embedder: openai.OpenAI) -> None:
    whole = np.array(embedder.embeddings.create(model="", input="Hi.").data[0].embedding)
    short = embedder.embeddings.create(model="", input="Hi.", dimensions=8).data[0].embedding
    np.testing.assert_allclose(short, whole[:8] / np.linalg.norm(whole[:8]), atol=1e-6)


def test_ids_are_taken_as_they_are(raw: RawHttp, tiny: LiveServer) -> None:
    tokenizer = tiny.models.find(None).llm.tokenizer
    ids = [tokenizer.bos_id, *tokenizer.encode("Hi.")]
    words = raw.post(PATH, {"input": "Hi."})["data"][0]["embedding"]
    for given in (ids, [ids]):
        assert raw.post(PATH, {"input": given})["data"][0]["embedding"] == words
    assert raw.post(PATH, {"input": ids[1:]})["data"][0]["embedding"] != words


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"input": ""}, "input", "empty"),
        ({"input": []}, "input", "0 texts"),
        ({"input": ["a", ""]}, "input[1]", "empty"),
        ({"input": ["a"] * 2049}, "input", "2049 texts"),
        ({"input": "a", "dimensions": 33}, "dimensions", "have 32"),
        ({"input": "a", "dimensions": 0}, "dimensions", "1"),
        ({"input": [-1]}, "input", "not in the vocabulary"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format", "base64"),
    ],
)
def test_what_is_wrong_is_named(raw: RawHttp, body: dict[str, Any], param: str, words: str) -> None:
    error = raw.error(PATH, body)
    assert error["param"] == param
    assert words in error["message"]


def test_too_long_a_text(raw: RawHttp) -> None:
    error = raw.error(PATH, {"input": ["a", "a b " * 2000]})
    assert (error["code"], error["param"]) == ("context_length_exceeded", "input[1]")


def test_answers_go_on_meanwhile(raw: RawHttp, embedder: openai.OpenAI) -> None:
    """A text of many passes, and an answer that begins and ends between two of them."""
    order: list[str] = []

    def embed() -> None:
        raw.post(PATH, {"input": [TEXTS[2]] * 40})
        order.append("embedded")

    thread = threading.Thread(target=embed)
    thread.start()
    embedder.completions.create(model="", prompt="hi", max_tokens=2, temperature=0)
    order.append("answered")
    thread.join()
    assert order == ["answered", "embedded"]
