"""`gemma4 chat --url`, against our own server and against one that is not ours."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer, live_server
from ollama_script import answer
from plain_server import PlainServer, plain_server
from run_cli import Run
from scripted_model import scripted_llm

from gemma4.serve.middleware.keys import hash_key
from gemma4.serve.settings import Access, ServeSettings

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"
SPEECH = Path(__file__).parents[1] / "data" / "media" / "speech.ogg"


@pytest.fixture(autouse=True)
def no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)


@pytest.fixture(scope="module")
def ours() -> Iterator[LiveServer]:
    settings = ServeSettings(access=Access(key_hashes=(hash_key("sesame"),)))
    with live_server([scripted_llm(answer)], settings) as live:
        yield live


@pytest.fixture
def plain() -> Iterator[PlainServer]:
    with plain_server() as running:
        yield running


def test_our_server_answers(run: Run, ours: LiveServer) -> None:
    outcome = run("chat", "--url", ours.url, "hi", GEMMA4_API_KEY="sesame")
    assert (outcome.code, outcome.out, outcome.err) == (0, "1 asked.\n", "")


def test_our_server_thinks_when_asked(run: Run, ours: LiveServer) -> None:
    words = ("chat", "--url", f"{ours.url}/v1/", "--api-key", "sesame", "-m", "scripted")
    outcome = run(*words, "think", "--think", "high", "-t", "0", "--verbose")
    assert outcome.out == "Four.\n"
    assert outcome.err.startswith("Two and two.\n")
    stats = dict(line.split("   ", 1) for line in outcome.err.splitlines()[1:])
    assert stats["model"].strip() == f"scripted at {ours.url}/v1"
    assert stats["device"].strip() == "cpu, float32, torch"
    assert stats["thinking"].strip() == "on"
    assert " of the prompt (" in stats["tokens"]


def test_our_server_sees_a_picture(run: Run, ours: LiveServer) -> None:
    outcome = run("chat", "--url", ours.url, f"picture {PHOTO}", GEMMA4_API_KEY="sesame")
    assert int(outcome.out.split()[0]) > 1
    assert "attached image" in outcome.err


def test_a_json_report(run: Run, ours: LiveServer) -> None:
    outcome = run("chat", "--url", ours.url, "hi", "--json", GEMMA4_API_KEY="sesame")
    found = json.loads(outcome.out)
    assert (found["text"], found["path"]) == ("1 asked.", f"{ours.url}/v1")
    assert found["usage"]["completion_tokens"] == 3
    assert found["template"]


@pytest.mark.parametrize("environ", [{}, {"GEMMA4_API_KEY": "wrong"}])
def test_a_wrong_key_is_told_in_one_line(
    run: Run, ours: LiveServer, environ: dict[str, str]
) -> None:
    outcome = run("chat", "--url", ours.url, "hi", **environ)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {ours.url}/v1 refuses the key (401)")
    assert outcome.err.count("\n") == 1
    assert "GEMMA4_API_KEY" in outcome.err


def test_too_long_a_prompt_is_the_servers_to_refuse(run: Run, ours: LiveServer) -> None:
    outcome = run("chat", "--url", ours.url, "a b " * 9000, GEMMA4_API_KEY="sesame")
    assert outcome.code == 2
    assert "8192" in outcome.err
    assert outcome.err.count("\n") == 1
    unknown = run("chat", "--url", ours.url, "-m", "other", "hi", GEMMA4_API_KEY="sesame")
    assert unknown.code == 2
    assert "scripted" in unknown.err
    assert "--model" in unknown.err


def test_a_plain_server_answers(run: Run, plain: PlainServer) -> None:
    outcome = run("chat", "--url", plain.url, "Hello")
    assert (outcome.out, outcome.err) == ("Plain.\n", "model: alpha, the first of 2\n")
    assert plain.bodies == [
        {
            "model": "alpha",
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_only_what_is_set_is_sent(run: Run, plain: PlainServer) -> None:
    words = ("-m", "beta", "-s", "Be brief.", "-t", "0.5", "-n", "9", "-o", "stop=END")
    run("chat", "--url", plain.url, *words, "--seed", "3", "-o", "logit_bias=5:1.5", "x")
    body = plain.bodies[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    names = ("model", "temperature", "max_tokens", "stop", "seed", "logit_bias")
    assert [body[name] for name in names] == ["beta", 0.5, 9, ["END"], 3, {"5": 1.5}]
    assert body.keys() == {*names, "messages", "stream", "stream_options"}


@pytest.mark.parametrize(
    ("word", "sent"),
    [
        ("low", {"reasoning_effort": "low"}),
        ("on", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("off", {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}}),
    ],
)
def test_thinking_in_the_words_of_servers(
    run: Run, plain: PlainServer, word: str, sent: dict[str, Any]
) -> None:
    run("chat", "--url", plain.url, f"--think={word}", "x")
    assert {key: plain.bodies[0].get(key) for key in sent} == sent


def test_media_and_formats_go_along(run: Run, plain: PlainServer, tmp_path: Path) -> None:
    schema = tmp_path / "s.json"
    schema.write_text('{"type": "object"}')
    run(
        "chat",
        "--url",
        plain.url,
        "-i",
        str(PHOTO),
        "-a",
        str(SPEECH),
        "--format",
        str(schema),
        "x",
    )
    image, sound, text = plain.bodies[0]["messages"][0]["content"]
    url = image["image_url"]["url"]
    assert url.startswith("data:image/jpeg;base64,")
    assert base64.b64decode(url.partition(",")[2]) == PHOTO.read_bytes()
    assert sound["input_audio"]["format"] == "ogg"
    assert base64.b64decode(sound["input_audio"]["data"]) == SPEECH.read_bytes()
    assert text == {"type": "text", "text": "x"}
    held = plain.bodies[0]["response_format"]
    assert (held["type"], held["json_schema"]["schema"]) == ("json_schema", {"type": "object"})


def test_other_ways_to_answer(run: Run, plain: PlainServer) -> None:
    plain.pieces = ({"reasoning": "Hm."}, {"content": "Yes"}, {"content": None}, {})
    plain.ending = ("length",)
    outcome = run("chat", "-q", "--url", plain.url, "x", "--verbose")
    assert outcome.out == "Yes\n"
    assert outcome.err.startswith("Hm.\nwarning: the answer is not complete (length): the server's")
    assert "the server does not count them" in outcome.err
    plain.whole = True
    assert run("chat", "-q", "--url", plain.url, "x").out == "Whole.\n"


def test_a_call_that_nobody_offered_is_told(run: Run, plain: PlainServer) -> None:
    begin = {"index": 0, "id": "c1", "function": {"name": "rm", "arguments": '{"a"'}}
    rest = {"index": 0, "function": {"arguments": ": 1}"}}
    plain.pieces = ({"tool_calls": [begin]}, {"tool_calls": [rest]})
    plain.ending = ("tool_calls", "[DONE]")
    outcome = run("chat", "-q", "--url", plain.url, "x")
    assert outcome.err == "warning: the model called rm, but it was given no tools\n"
    found = json.loads(run("chat", "--json", "--url", plain.url, "x").out)
    assert found["tool_calls"][0]["arguments"] == {"a": 1}


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ((), "ended the answer without saying why; ask again"),
        (('{"error": {"message": "Out of\\nmemory."}}',), "says: Out of memory."),
        (('{"error": "Gone."}',), "says: Gone."),
        (("{broken",), "sent what is no JSON; is it a server of OpenAI's protocol?"),
    ],
)
def test_an_answer_that_breaks_off(
    run: Run, plain: PlainServer, ending: tuple[str, ...], message: str
) -> None:
    plain.ending = ending
    outcome = run("chat", "-q", "--url", plain.url, "x")
    assert (outcome.code, outcome.out) == (1, "Plain.\n")
    assert outcome.err == f"error: {plain.url} {message}\n"


@pytest.mark.parametrize(
    ("status", "refusal", "code", "message"),
    [
        (400, b'{"error": {"message": "No images."}}', 2, "refuses the request (400): No images."),
        (422, b'{"detail": "Bad."}', 2, "refuses the request (422): Bad."),
        (429, b"{}", 1, "cannot answer now (429): {}"),
        (503, b"busy", 1, "cannot answer now (503)"),
        (302, b"", 1, "leads elsewhere (302); give the URL it leads to"),
    ],
)
def test_refusals_in_one_line(
    run: Run, plain: PlainServer, status: int, refusal: bytes, code: int, message: str
) -> None:
    plain.status, plain.refusal = status, refusal
    outcome = run("chat", "-q", "--url", plain.url, "x")
    assert (outcome.code, outcome.err) == (code, f"error: {plain.url} {message}\n")


def test_a_server_without_a_list_needs_a_name(run: Run, plain: PlainServer) -> None:
    plain.lists = False
    assert run("chat", "--url", plain.url, "-m", "any", "x").out == "Plain.\n"
    outcome = run("chat", "--url", plain.url, "x")
    assert outcome.code == 2
    assert "/v1/models is not there (404)" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--url", "127.0.0.1:1"], 1, "error: http://127.0.0.1:1/v1 cannot be reached"),
        (["--url", "ftp://x"], 2, "error: --url 'ftp://x' is no URL of a server"),
        (["--url", "http://x:port"], 2, "error: --url 'http://x:port' is no URL of a server"),
    ],
)
def test_no_server(run: Run, words: list[str], code: int, message: str) -> None:
    outcome = run("chat", *words, "x")
    assert outcome.code == code
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


def test_settings_of_our_own_engine_are_refused(run: Run, plain: PlainServer) -> None:
    outcome = run("chat", "-q", "--url", plain.url, "x", "-o", "loop_guard=off")
    assert outcome.code == 2
    assert outcome.err.startswith("error: loop_guard cannot be sent to a server;")
    assert plain.bodies == []


def test_a_key_that_others_could_read_is_warned_of(run: Run) -> None:
    outcome = run("chat", "--url", "http://gemma.invalid", "x", GEMMA4_API_KEY="k")
    assert outcome.err.startswith("warning: the key goes to http://gemma.invalid/v1 unencrypted")
    assert outcome.err.count("\n") == 2
