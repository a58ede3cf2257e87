"""Completions: the official client, and the exact shapes on the wire."""

from typing import Any

import openai
import pytest
from live_server import LiveServer, live_server
from openai.types import Completion
from raw_http import RawHttp
from scripted_model import scripted_llm

from gemma4 import load

PATH = "/v1/completions"
TEXT = "Hello, world."


def body(prompt: Any, **more: Any) -> dict[str, Any]:
    return {"model": "scripted", "prompt": prompt, "temperature": 0, **more}


def ids(server: LiveServer, text: str) -> list[int]:
    return server.models.find("scripted").llm.tokenizer.encode(text)


def test_one_prompt(client: openai.OpenAI) -> None:
    found = client.completions.create(model="scripted", prompt="hi", max_tokens=50)
    Completion.model_validate(found.to_dict(), strict=True)
    (choice,) = found.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == (TEXT, "stop", None)
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (2, 4)


def test_prompts_in_every_form(http: RawHttp, server: LiveServer) -> None:
    one, two = ids(server, "hi"), ids(server, "count it")
    for prompt in (["hi", "count it"], [one, two]):
        found = http.post(PATH, body(prompt, n=2))
        texts = [TEXT, TEXT, "one two\nSTOP three", "one two\nSTOP three"]
        assert [choice["text"] for choice in found["choices"]] == texts
        assert [choice["index"] for choice in found["choices"]] == [0, 1, 2, 3]
        bos = 0 if prompt == [one, two] else 2
        assert found["usage"]["prompt_tokens"] == len(one) + len(two) + bos
    assert http.post(PATH, body(one))["choices"][0]["text"] == TEXT


def test_sixteen_tokens_unless_asked_for_more(http: RawHttp) -> None:
    found = http.post(PATH, body("long"))
    assert found["usage"]["completion_tokens"] == 16
    assert found["choices"][0]["finish_reason"] == "length"
    assert http.post(PATH, body("long", max_tokens=-1))["usage"]["completion_tokens"] > 300


def test_stop_strings_and_echo(http: RawHttp) -> None:
    found = http.post(PATH, body(["count it", "<bos> hi"], stop="STOP", echo=True))
    assert [choice["text"] for choice in found["choices"]] == [
        "count itone two\n",
        f"<bos> hi{TEXT}",
    ]
    assert found["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_is_the_whole_in_pieces(http: RawHttp, echo: bool) -> None:
    asked = body(["hi", "emoji"], logprobs=1, echo=echo)
    whole = http.post(PATH, asked)
    found = http.stream(PATH, {**asked, "stream_options": {"include_usage": True}})
    assert found.done
    *events, last = found.events
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == whole["usage"]["total_tokens"]
    assert all(event["usage"] is None for event in events)
    for expected in whole["choices"]:
        pieces = [c for e in events for c in e["choices"] if c["index"] == expected["index"]]
        assert "".join(piece["text"] for piece in pieces) == expected["text"]
        for name, values in expected["logprobs"].items():
            assert [v for piece in pieces for v in piece["logprobs"][name]] == values
        reasons = [piece["finish_reason"] for piece in pieces]
        assert reasons == [None] * (len(pieces) - 1) + ["stop"]
    for event in events:
        assert event["object"] == "text_completion"
        assert event["id"] == last["id"]


def test_the_client_streams(client: openai.OpenAI) -> None:
    stream = client.completions.create(model="scripted", prompt="hi", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == TEXT


def test_logprobs_side_by_side(http: RawHttp) -> None:
    scores = http.post(PATH, body("hi", logprobs=2))["choices"][0]["logprobs"]
    assert "".join(scores["tokens"]) == TEXT
    assert scores["text_offset"] == [0, 5, 6, 12]
    assert all(score <= 0 for score in scores["token_logprobs"])
    for token, best in zip(scores["tokens"], scores["top_logprobs"], strict=True):
        assert token in best


def test_a_prompt_is_scored_by_the_models_own_numbers() -> None:
    """What evaluation harnesses ask for: echo, logprobs, and no token of an answer."""
    from tiny_chat import tiny_chat_directory

    llm = load(tiny_chat_directory(), kernels="off", drafter=None, context=512)
    text = "Why is the sky blue?"
    ids = [llm.tokenizer.bos_id, *llm.tokenizer.encode(text)]
    expected = llm.logits(ids[:-1]).log_softmax(-1)[range(len(ids) - 1), ids[1:]].tolist()
    with live_server([llm]) as live:
        http = RawHttp(live.url)
        asked = {"echo": True, "logprobs": 1, "max_tokens": 0}
        as_words = http.post(PATH, {"prompt": text, **asked})["choices"][0]
        as_ids = http.post(PATH, {"prompt": ids, **asked})["choices"][0]
    assert as_words["text"] == text
    assert "".join(as_words["logprobs"]["tokens"]) == text
    assert as_words["logprobs"]["token_logprobs"] == pytest.approx(expected, abs=1e-4)
    assert as_ids["logprobs"]["tokens"][0] == "<bos>"
    assert as_ids["logprobs"]["token_logprobs"][0] is None
    assert as_ids["logprobs"]["token_logprobs"][1:] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"best_of": 3}, "best_of", "n of them"),
        ({"suffix": "}"}, "suffix", "fill in the middle"),
        ({"n": 17}, "n", "at most 16"),
        ({"grammar": "root ::= x"}, "grammar", "GBNF"),
        ({"prompt": []}, "prompt", "0 texts"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": ["a", ""]}, "prompt[1]", "empty"),
        ({"prompt": [[999_999_999]]}, "prompt", "not in the vocabulary"),
        ({"prompt": ["a"] * 100}, "prompt", "100 texts"),
        ({"logprobs": 21}, "logprobs", "20"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    http: RawHttp, more: dict[str, Any], param: str, words: str
) -> None:
    error = http.error(PATH, {**body("hi"), **more})
    assert error["param"] == param
    assert words in error["message"]


def test_neutral_values_are_taken(http: RawHttp) -> None:
    neutral = {"best_of": 1, "suffix": "", "user": "me", "response_format": {"type": "text"}}
    assert http.post(PATH, body("hi", **neutral))["choices"][0]["text"] == TEXT


def test_a_format_holds_the_text(http: RawHttp) -> None:
    asked = body("hi", guided_choice=["Yes.", "No."])
    assert http.post(PATH, asked)["choices"][0]["text"] in ("Yes.", "No.")


def test_too_long_a_prompt_says_which_and_by_how_much(http: RawHttp) -> None:
    error = http.error(PATH, body("a b " * 9000, stream=True))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")
    assert "8192" in error["message"]


def test_an_error_in_the_middle_is_told_in_the_stream() -> None:
    def broken(_: str) -> str:
        raise RuntimeError("the script broke")

    with live_server([scripted_llm(broken)]) as live:
        found = RawHttp(live.url).stream(PATH, body("hi"))
    assert "the script broke" in found.events[-1]["error"]["message"]
    assert found.done
