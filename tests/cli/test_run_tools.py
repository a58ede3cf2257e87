"""`gemma4 run` with tools: what is shown, asked, denied and kept."""

import json
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from mcp_examples import COMMAND
from run_cli import Run
from scripted_llm import Reply, ScriptedLLM

from gemma4.cli.chat.file import load_conversation, save_conversation
from gemma4.cli.chat.session import ChatSession
from gemma4.cli.chat.tool_use import ToolUse
from gemma4.cli.output import Output
from gemma4.cli.run.answer_view import AnswerView
from gemma4.cli.run.approval import Approver
from gemma4.cli.run.content import Content
from gemma4.cli.run.once import answer_once
from gemma4.cli.run.request import View
from gemma4.text.messages import Text, ToolCall
from gemma4.tools import PythonFile, Toolbox

SOURCE = '''
def add(a: int, b: int) -> int:
    """Add two numbers."""
    print("noise")
    return a + b

def stop() -> None:
    """As Ctrl-C would."""
    raise KeyboardInterrupt
'''
CALL = ToolCall(name="add", arguments={"a": 1, "b": 2}, id="x")
CALLS = Reply(pieces=["Let me see."], calls=[CALL], reason="tool_calls")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    path = tmp_path / "tools.py"
    path.write_text(SOURCE)
    return path


class Session:
    """A conversation with tools, without a terminal."""

    def __init__(
        self, path: Path, *replies: Reply, typed: list[str] | None = None, runs_all: bool = False
    ) -> None:
        self.stdout, self.stderr = StringIO(), StringIO()
        self.out = Output(stdout=self.stdout, stderr=self.stderr)
        self.llm = ScriptedLLM(replies=list(replies))
        left = typed or []
        read: Callable[[], str] | None = (
            None if typed is None else lambda: left.pop(0) if left else ""
        )
        approver = Approver(self.out, runs_all=runs_all, read=read)
        box = Toolbox([PythonFile(path)])
        use = ToolUse(box, approve=approver, max_rounds=3, modalities=("text",))
        self.chat = ChatSession(self.llm, raw=False, tools=use)  # type: ignore[arg-type]

    def ask(self, *, as_json: bool = False) -> None:
        out = Output(as_json=as_json, stdout=self.stdout, stderr=self.stderr)
        content = Content(text="How much?", untouched="How much?")
        answer_once(out, self.chat, content, View(), source="/models/scripted")


def test_a_call_is_shown_asked_about_and_its_result_shown(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(tools, CALLS, Reply(pieces=["Three."]), typed=["maybe\n", "y\n"])
    session.ask()
    assert session.stdout.getvalue() == "Let me see.\nThree.\n"
    shown = session.stderr.getvalue()
    assert shown.startswith("tool add(a=1, b=2)\n  run it? [y]es, [n]o, [a]lways run add: ")
    assert shown.count("run it?") == 2
    assert shown.endswith("  3\n")
    assert capsys.readouterr() == ("", "noise\n")  # what a tool prints is no answer
    question, calling, result = session.llm.asked[1]["messages"]
    assert calling.text == "Let me see."
    assert result.content == (Text("3"),)
    assert result.tool_call_id == calling.tool_calls[0].id
    (exchange,) = session.chat.exchanges
    assert exchange.answer.text == "Three."
    assert exchange.messages == (question, calling, result, exchange.answer)


def test_no_is_told_to_the_model_and_always_asks_once(tools: Path) -> None:
    denied = Session(tools, CALLS, Reply(), typed=["n\n"])
    denied.ask()
    assert "the user denied it" in denied.llm.asked[1]["messages"][-1].text
    always = Session(tools, CALLS, CALLS, Reply(), typed=["a\n"])
    always.ask()
    assert always.stderr.getvalue().count("run it?") == 1
    assert always.stderr.getvalue().count("tool add(a=1, b=2)\n") == 2
    ended = Session(tools, CALLS, Reply(), typed=[])  # Ctrl-D
    ended.ask()
    assert "the user denied it" in ended.llm.asked[1]["messages"][-1].text


def test_without_a_terminal_calls_are_denied_unless_yes(tools: Path) -> None:
    alone = Session(tools, CALLS, Reply(pieces=["Sorry."]))
    alone.ask()
    assert (
        "warning: calls are denied, for there is no terminal to ask on" in alone.stderr.getvalue()
    )
    assert "nobody is there to approve it" in alone.llm.asked[1]["messages"][-1].text
    yes = Session(tools, CALLS, Reply(pieces=["Three."]), runs_all=True)
    yes.ask(as_json=True)
    found = json.loads(yes.stdout.getvalue())
    assert found["text"] == "Three."
    assert found["tools_run"] == [
        {
            "name": "add", "arguments": {"a": 1, "b": 2}, "denied": False, "is_error": False,
            "result": "3", "media": [],
        }
    ]  # fmt: skip


def test_rounds_end_with_a_warning(tools: Path) -> None:
    session = Session(tools, CALLS, CALLS, CALLS, Reply(pieces=["Enough."]), runs_all=True)
    session.ask()
    assert "3 rounds of calls are used up (--max-rounds)" in session.stderr.getvalue()
    assert session.llm.asked[-1]["tool_choice"].mode == "none"
    assert session.stdout.getvalue().endswith("Enough.\n")


def test_ctrl_c_in_a_tool_ends_the_tool(tools: Path) -> None:
    stop = Reply(
        pieces=[], calls=[ToolCall(name="stop", arguments={}, id="s")], reason="tool_calls"
    )
    session = Session(tools, stop, Reply(pieces=["Stopped."]), runs_all=True)
    session.ask()
    assert session.stdout.getvalue() == "Stopped.\n"
    assert "the user stopped the call" in session.llm.asked[1]["messages"][-1].text


def test_a_call_cannot_rewrite_the_terminal(tools: Path) -> None:
    bad = ToolCall(name="add", arguments={"a": "\x1b[2J\u202e\x9b", "b": 1}, id="x")
    session = Session(
        tools, Reply(pieces=[], calls=[bad], reason="tool_calls"), Reply(), typed=["n\n"]
    )
    session.ask()
    line = session.stderr.getvalue().splitlines()[0]
    assert line == 'tool add(a="\\u001b[2J", b=1)'


def test_a_conversation_with_calls_is_saved_and_loaded(tools: Path, tmp_path: Path) -> None:
    session = Session(tools, CALLS, Reply(pieces=["Three."]), runs_all=True)
    session.ask()
    save_conversation(session.chat, tmp_path / "talk.json")
    saved = load_conversation(tmp_path / "talk.json")
    (before,) = session.chat.exchanges
    assert saved.exchanges[0].between == before.between
    found = json.loads((tmp_path / "talk.json").read_text())
    found["exchanges"][0]["between"].pop()
    (tmp_path / "cut.json").write_text(json.dumps(found))
    with pytest.raises(Exception, match="has no answer"):
        load_conversation(tmp_path / "cut.json")


def test_the_same_warning_of_two_rounds_is_shown_once() -> None:
    stderr = StringIO()
    view = AnswerView(Output(stdout=StringIO(), stderr=stderr), View(), has_tools=True)
    llm = ScriptedLLM(
        replies=[Reply(warnings=("not enforced: x",)), Reply(warnings=("not enforced: x",))]
    )
    for _ in range(2):
        for event in llm.stream(()):
            view.show(event)
    assert stderr.getvalue().count("not enforced: x") == 1


def test_what_cannot_be_opened_ends_before_a_model_is_loaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    model = tmp_path / "model.gguf"
    model.write_bytes(b"never read")
    outcome = run("run", str(model), "hi", "--tools", str(tmp_path / "none.py"))
    assert outcome.code == 2
    assert "none.py is no file" in outcome.err
    gone = run("run", str(model), "hi", "--mcp", "no-such-program")
    assert gone.code == 1
    assert "MCP server 'no-such-program' does not answer" in gone.err
    raw = run("run", str(model), "hi", "--raw", "--mcp", COMMAND)
    assert raw.code == 2
    assert "a tool needs a chat template" in raw.err


SCRIPT = """
import sys
from scripted_llm import Reply, ScriptedLLM
from gemma4.cli.run import steps
from gemma4.cli import main
from gemma4.text.messages import ToolCall

call = ToolCall(name="sleep", arguments={"seconds": 600}, id="x")
llm = ScriptedLLM(replies=[Reply(pieces=[], calls=[call], reason="tool_calls"), Reply(pieces=["Awake."])])
steps.load_chosen = lambda *_: llm
sys.exit(main(sys.argv[1:]))
"""


def test_on_a_real_terminal_ctrl_c_stops_a_tool_of_an_mcp_server(tmp_path: Path) -> None:
    """The question is typed an answer, the tool would sleep ten minutes, and Ctrl-C ends it alone."""
    model = tmp_path / "model.gguf"
    model.write_bytes(b"never read")
    main_end, far_end = os.openpty()
    command = [sys.executable, "-c", SCRIPT, "run", str(model), "Sleep.", "--mcp", COMMAND]
    support = str(Path(__file__).parents[1] / "support")
    process = subprocess.Popen(
        command, stdin=far_end, stdout=far_end, stderr=far_end, start_new_session=True,
        env={**os.environ, "PYTHONPATH": support, "GEMMA4_HOME": str(tmp_path), "NO_COLOR": "1"},
        preexec_fn=lambda: _take_terminal(far_end),
    )  # fmt: skip
    os.close(far_end)
    said = _until(main_end, "run it?")
    os.write(main_end, b"y\n")
    time.sleep(2.0)
    os.write(main_end, b"\x03")
    said += _until(main_end, "Awake.")
    assert process.wait(30) == 0
    assert "the user stopped the call" in said
    os.close(main_end)


def _take_terminal(far_end: int) -> None:
    import fcntl

    fcntl.ioctl(far_end, termios.TIOCSCTTY, 0)


def _until(terminal: int, words: str, *, seconds: float = 120.0) -> str:
    said, end = "", time.monotonic() + seconds
    while words not in said:
        assert time.monotonic() < end, said
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if ready:
            said += os.read(terminal, 4096).decode(errors="replace")
    return said
