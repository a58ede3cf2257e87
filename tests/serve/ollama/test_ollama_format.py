"""`format` holds an answer to JSON, whatever the model would rather say."""

import json

import httpx2
import ollama
import pytest

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
ASKED = [{"role": "user", "content": "json"}]


def test_an_answer_of_a_schema(client: ollama.Client) -> None:
    found = client.chat("scripted", messages=ASKED, format=SCHEMA)
    assert json.loads(found.message.content) == {"city": "Ulm", "days": 2}
    assert found.done_reason == "stop"
    parts = client.generate("scripted", "json", format=SCHEMA, stream=True)
    assert json.loads("".join(part.response for part in parts)) == {"city": "Ulm", "days": 2}


def test_a_thought_stands_before_it(client: ollama.Client) -> None:
    asked = [{"role": "user", "content": "think in json"}]
    found = client.chat("scripted", messages=asked, format=SCHEMA, think=True)
    assert found.message.thinking == "Hm."
    assert json.loads(found.message.content) == {"city": "Ulm", "days": 2}


@pytest.mark.parametrize("raw", [False, True])
def test_a_model_that_says_something_else_is_held_to_it(client: ollama.Client, raw: bool) -> None:
    options = {"num_predict": 4, "temperature": 0}
    found = client.generate("scripted", "Once", format="json", raw=raw, options=options)
    assert found.response.startswith("{")
    free = client.generate("scripted", "Once", format="", raw=raw, options=options)
    assert not free.response.startswith("{")


@pytest.mark.parametrize(
    ("format", "word"),
    [("yaml", "yaml"), ({"type": "wonder"}, "'type'"), ({"$ref": "https://a.b/c"}, "$ref")],
)
def test_what_cannot_be_enforced_is_refused(http: httpx2.Client, format: object, word: str) -> None:
    body = {"model": "scripted", "messages": ASKED, "format": format}
    found = http.post("/api/chat", json=body)
    assert found.status_code == 400
    assert word in found.json()["error"]
