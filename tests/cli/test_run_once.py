"""One shot: what goes to stdout, what to stderr, pipes, JSON, exit codes. The model is scripted."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from run_cli import Run
from scripted_llm import Reply, ScriptedLLM

from gemma4.cli.run import steps as run_steps
from gemma4.cli.run.answer_report import plain
from gemma4.errors import ContextError
from gemma4.llm.events import TokenLogprob
from gemma4.media.types import MediaUsage
from gemma4.text.messages import Audio, Image, Text, ToolCall

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"
SPEECH = Path(__file__).parents[1] / "data" / "media" / "speech.ogg"


@dataclass
class Stdin:
    """Standard input: a pipe with these bytes, or a terminal."""

    data: bytes = b""
    terminal: bool = False
    closed: bool = False

    @property
    def buffer(self) -> io.BytesIO:
        return io.BytesIO(self.data)

    def isatty(self) -> bool:
        return self.terminal


Pipe = Callable[[bytes], None]


@pytest.fixture(autouse=True)
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Put bytes into stdin; empty without a call."""

    def fill(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", Stdin(data))

    fill(b"")
    return fill


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedLLM:
    """The model that `./model` is."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    model = ScriptedLLM()
    monkeypatch.setattr(run_steps, "load_chosen", lambda *_: model)
    return model


def asked(llm: ScriptedLLM) -> tuple[Any, ...]:
    """Content of the last message of the last question."""
    return llm.asked[-1]["messages"][-1].content


def test_stdout_has_the_answer_alone_and_ends_with_a_newline(run: Run, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["Hi", " ✓"], thought=["hm", " so"])]
    outcome = run("run", "./model", "Hello", "you")
    assert (outcome.code, outcome.out) == (0, "Hi ✓\n")
    assert outcome.err == "hm so\n"
    assert asked(llm) == (Text("Hello you"),)


def test_an_answer_that_ends_with_a_newline_gets_no_second_one(run: Run, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["a\n", "b\n"])]
    assert run("run", "./model", "x").out == "a\nb\n"


def test_thoughts_can_be_hidden_and_the_answer_held_back(run: Run, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(thought=["hm"]), Reply(thought=["hm"])]
    hidden = run("run", "./model", "x", "--think", "--hide-thinking")
    assert (hidden.out, hidden.err) == ("Hello there.\n", "")
    assert llm.asked[-1]["thinking"] is True
    assert llm.asked[-1]["thought_budget"] is None
    held = run("run", "./model", "x", "--no-stream")
    assert (held.out, held.err) == ("Hello there.\n", "hm\n")


def test_options_reach_the_model(run: Run, llm: ScriptedLLM) -> None:
    outcome = run(
        *("run", "./model", "-s", "Be brief.", "-t", "0", "--top-p", "0.5", "--top-k", "3"),
        *("--seed", "7", "-n", "9", "-o", "stop=END", "-o", "min_p=0.1", "--image-budget", "70"),
        *("--", "-1", "is", "what?"),
    )
    assert outcome.code == 0, outcome.err
    question = llm.asked[0]
    assert question["options"] == {
        "temperature": 0.0, "top_p": 0.5, "top_k": 3, "seed": 7, "max_tokens": 9,
        "stop": ("END",), "min_p": 0.1,
    }  # fmt: skip
    assert [message.role for message in question["messages"]] == ["system", "user"]
    assert question["messages"][0].text == "Be brief."
    assert question["image_budget"] == 70
    assert asked(llm) == (Text("-1 is what?"),)


def test_a_pipe_stands_after_the_prompt(run: Run, llm: ScriptedLLM, pipe: Pipe) -> None:
    pipe("\ufeffline one\nline ü\n".encode())
    run("run", "./model", "Summarize:")
    assert asked(llm) == (Text("Summarize:\n\nline one\nline ü"),)
    pipe(b"Just this\r\n")
    run("run", "./model")
    assert asked(llm) == (Text("Just this"),)


def test_paths_in_a_pipe_are_text(run: Run, llm: ScriptedLLM, pipe: Pipe) -> None:
    pipe(str(PHOTO).encode())
    run("run", "./model", "List:")
    assert asked(llm) == (Text(f"List:\n\n{PHOTO}"),)


def test_media_stand_before_the_text_and_are_announced(
    run: Run, llm: ScriptedLLM, pipe: Pipe
) -> None:
    outcome = run("run", "./model", "What", f"is {PHOTO}?", "--audio", str(SPEECH))
    assert outcome.err == f"attached image {PHOTO}\n"
    assert asked(llm) == (Audio(str(SPEECH)), Image(PHOTO), Text("What is photo.jpg?"))
    pipe(b"\x89PNG")
    assert run("run", "./model", "--image", "-").code == 0
    assert asked(llm) == (Image(b"\x89PNG"),)


@pytest.mark.usefixtures("llm")
def test_a_missing_file_in_the_prompt_is_warned_of(run: Run) -> None:
    outcome = run("run", "-m", "./model", "What is ./gone.jpg?")
    assert outcome.code == 0
    assert outcome.err == (
        "warning: ./gone.jpg is no file: it stays in the prompt as text, nothing is attached\n"
    )


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        ([], b"", "there is no prompt: none among the words, and stdin is empty; give one"),
        (["x"], b"\xff\xfe", "byte 0 of stdin is no UTF-8 (0xff); convert text first"),
        (["x", "--image", "gone.png"], b"", "gone.png cannot be read: No such file"),
        (["x", "--image", "http://a/b.png"], b"", "http://a/b.png: http URLs are not fetched"),
        (["x", "--image", "-"], b"", "`-` stands for stdin, which is empty; pipe the medium"),
        (["x", "-i", "-", "--audio", "-"], b"a", "`-` stands for stdin and is given 2 times"),
        (["x", "--image-budget", "100"], b"", "a picture budget of 100 soft tokens: must be one"),
        (["x", "-o", "colour=red"], b"", "there is no setting 'colour'; known: temperature"),
        (["x", "--raw", "--think"], b"", "--think needs a chat template, and --raw only continues"),
        (["x", "--raw", "-s", "y"], b"", "--system needs a chat template, and --raw only"),
        (["x", "--raw", "-i", str(PHOTO)], b"", "a medium needs a chat template, and --raw only"),
    ],
)
def test_bad_input_is_one_line_exit_2_and_loads_no_model(
    run: Run,
    llm: ScriptedLLM,
    monkeypatch: pytest.MonkeyPatch,
    pipe: Pipe,
    words: list[str],
    stdin: bytes,
    message: str,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(run_steps, "load_chosen", refuse)
    pipe(stdin)
    outcome = run("run", "-m", "./model", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")
    assert outcome.err.count("\n") == 1
    assert llm.asked == []


def test_base_models_complete_and_say_so(run: Run, llm: ScriptedLLM, pipe: Pipe) -> None:
    llm.is_chat_model = False
    pipe(b"Once upon\n")
    outcome = run("run", "./model")
    assert outcome.out == "Hello there.\n"
    assert outcome.err == (
        "scripted is a base model: it continues the text, without a chat template\n"
    )
    assert llm.asked[-1]["prompt"] == "Once upon"
    pipe(b"")
    assert run("run", "./model", f"See {PHOTO}:").code == 0
    assert llm.asked[-1]["prompt"] == f"See {PHOTO}:"
    refused = run("run", "./model", "x", "--think")
    assert refused.code == 2
    assert "--think needs a chat template, and scripted, a base model, only" in refused.err
    assert run("run", "./model", "x", "--no-raw").code == 0
    assert asked(llm) == (Text("x"),)


def test_a_picture_that_is_only_text_is_said_to_be(run: Run, llm: ScriptedLLM) -> None:
    """JSON once claimed that a base model's picture was attached; people were told nothing."""
    outcome = run("run", "./model", f"See {PHOTO}", "--raw")
    assert llm.asked[0]["prompt"] == f"See {PHOTO}"
    assert "photo.jpg" in outcome.err
    assert "is not attached: it stays in the text, which is only continued" in outcome.err
    notes = json.loads(run("run", "./model", f"See {PHOTO}", "--raw", "--json").out)["notes"]
    assert [note.split(": ")[0].split(" is ")[1] for note in notes] == ["not attached"]


def test_raw_takes_the_template_from_a_chat_model(run: Run, llm: ScriptedLLM) -> None:
    outcome = run("run", "./model", "Once", "--raw")
    assert (outcome.out, outcome.err) == ("Hello there.\n", "")
    assert llm.asked == [{"prompt": "Once", "options": {}, "format": None}]


def test_a_modality_that_the_model_lacks_is_refused(run: Run, llm: ScriptedLLM) -> None:
    llm.modalities = ("text", "image", "video")
    outcome = run("run", "./model", "x", "--audio", str(SPEECH))
    assert outcome.code == 2
    assert outcome.err == (
        "error: scripted takes text, image, video but no audio; leave it out, or use a model that "
        "takes audio\n"
    )


def test_what_must_not_be_missed_is_on_stderr(run: Run, llm: ScriptedLLM) -> None:
    llm.notes = ("quantized weights are expanded",)
    llm.replies = [
        Reply(reason="loop", detail="the same 3 tokens", warnings=("a sound was cut",)),
        Reply(pieces=()),
        Reply(
            pieces=(), calls=[ToolCall(name="weather", arguments={}, id="1")], reason="tool_calls"
        ),
    ]
    assert run("run", "./model", "x").err == (
        "quantized weights are expanded\n"
        "warning: a sound was cut\n"
        "warning: the answer is not complete (loop): the same 3 tokens\n"
    )
    empty = run("run", "./model", "x", "-q")
    assert (empty.out, empty.err) == ("", "warning: the answer is empty\n")
    called = run("run", "./model", "x", "-q")
    assert called.err == "warning: the model called weather, but it was given no tools\n"


def test_json_is_one_object_with_everything(run: Run, llm: ScriptedLLM) -> None:
    usage = MediaUsage(kind="image", soft_tokens=260, original="a", used="b", reduced=True)
    call = ToolCall(name="f", arguments={"a": [1]}, id="c1")
    llm.replies = [Reply(thought=["hm"], calls=[call], media=(usage,), warnings=("w",))]
    outcome = run("run", "./model", "What is", f"{PHOTO} or ./gone.jpg?", "--json", "--seed", "3")
    assert outcome.err == ""
    assert outcome.out.count("\n") == 1
    found = json.loads(outcome.out)
    assert found["text"] == "Hello there."
    assert found["thought"] == "hm"
    assert found["tool_calls"] == [
        {"name": "f", "arguments": {"a": [1]}, "id": "c1", "repaired": []}
    ]
    assert found["finish_reason"] == "stop"
    assert found["usage"]["media"][0]["soft_tokens"] == 260
    assert found["usage"]["prompt_tokens"] == 12
    assert found["timings"] == {"load": 1.5, "media": 0.25, "prefill": 0.5, "decode": 2.0}
    assert found["sampling"]["seed"] == 3
    assert found["sampling"]["top_k"] == 64
    assert found["template"] == "small.2026-07@3beb16a140a7"
    assert (found["model"], found["device"], found["dtype"]) == ("scripted", "cpu", "float32")
    assert found["warnings"] == ["w"]
    assert found["path"] == "model"
    assert found["notes"] == [
        f"attached image {PHOTO}",
        "./gone.jpg is no file: it stays in the prompt as text, nothing is attached",
    ]


def test_what_was_known_from_before_is_said_and_not_counted_as_speed(
    run: Run, llm: ScriptedLLM
) -> None:
    llm.cached_tokens = 10
    assert json.loads(run("run", "./model", "x", "--json").out)["usage"]["cached_tokens"] == 10
    lines = run("run", "./model", "x", "--verbose").err.splitlines()
    assert "prompt     12 tokens in 0.50 s, 4.0 tokens/s, 10 of them known from before" in lines


def test_numbers_that_json_has_not_become_null() -> None:
    logprob = TokenLogprob(id=1, text="a", logprob=-0.5, top=((2, "b", float("-inf")),))
    assert plain(logprob) == {"id": 1, "text": "a", "logprob": -0.5, "top": [[2, "b", None]]}


def test_the_stats_block_says_what_was_done(run: Run, llm: ScriptedLLM) -> None:
    usage = MediaUsage(
        kind="image", soft_tokens=1064, original="1920×1080 px", used="1152×624 px", reduced=True
    )
    llm.replies = [Reply(pieces=["x"] * 41, thought=["y"] * 20, media=(usage,))]
    outcome = run("run", "./model", "x", "--verbose", "--hide-thinking", "-t", "0")
    assert outcome.err.splitlines() == [
        "model      scripted",
        "device     cpu, float32, torch",
        "load       1.50 s",
        "media      image, 1,064 soft tokens, 1920×1080 px → 1152×624 px (detail lost)",
        "media      prepared in 0.25 s",
        "prompt     12 tokens in 0.50 s, 24.0 tokens/s",
        "answer     61 tokens in 2.00 s, 30.0 tokens/s, 20 of them thought",
        "template   small.2026-07@3beb16a140a7",
        "thinking   off",
        "sampling   greedy (temperature=0.0, top_k=64, top_p=0.95)",
        "finish     stop",
    ]


def test_ctrl_c_ends_the_line_and_exits_130(run: Run, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["Hel", "lo"], error=KeyboardInterrupt())] * 2
    outcome = run("run", "./model", "x")
    assert (outcome.code, outcome.out) == (130, "Hello\n")
    assert run("run", "./model", "x", "--json").out == ""


def test_an_error_on_the_way_is_reported_after_what_came(run: Run, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=(), error=ContextError("too long", needed=9, limit=8))]
    outcome = run("run", "./model", "x")
    assert (outcome.code, outcome.out, outcome.err) == (2, "", "error: too long\n")


def test_a_conversation_in_json_is_refused(
    run: Run, llm: ScriptedLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(terminal=True))
    outcome = run("run", "./model", "--json")
    assert outcome.code == 2
    assert "--json needs a prompt" in json.loads(outcome.err)["error"]["message"]
    assert llm.asked == []
