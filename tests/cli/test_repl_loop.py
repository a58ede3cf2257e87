"""The talk on a terminal: what is read, shown and survived. The last test runs it on a real one."""

import json
import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from scripted_llm import Reply, ScriptedLLM
from tiny_chat import tiny_chat_directory

from gemma4.cli.chat.repl import converse
from gemma4.cli.chat.repl_input import is_open_block
from gemma4.cli.chat.session import ChatSession
from gemma4.cli.output import Output
from gemma4.cli.run.request import View
from gemma4.errors import ContextError

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"


def reader(*entries: str | type[BaseException]) -> Callable[[], str]:
    """Gives one entry after the other, raises what is an exception, and then ends."""
    left = list(entries)

    def read() -> str:
        entry = left.pop(0) if left else EOFError
        if isinstance(entry, str):
            return entry
        raise entry

    return read


class Talk:
    """A talk with scripted entries and answers."""

    def __init__(self, *replies: Reply, raw: bool = False) -> None:
        self.llm = ScriptedLLM(replies=list(replies))
        self.chat = ChatSession(self.llm, raw=raw)  # type: ignore[arg-type]  # a stand-in
        self.out = self.err = ""

    def enter(self, *entries: str | type[BaseException], view: View | None = None) -> None:
        stdout, stderr = StringIO(), StringIO()
        converse(Output(stdout=stdout, stderr=stderr), self.chat, reader(*entries), view or View())
        self.out, self.err = stdout.getvalue(), stderr.getvalue()


def test_answers_go_to_stdout_and_all_else_to_stderr() -> None:
    talk = Talk(Reply(thought=["hm"]), Reply(pieces=["Bye\n"]))
    talk.enter("hello", "/think", f"see {PHOTO}", "/bye", "never read")
    assert talk.out == "Hello there.\nBye\n"
    assert talk.err == f"hm\nthinking is off\nattached image {PHOTO}\n"
    assert len(talk.chat.exchanges) == 2


def test_ctrl_c_at_the_prompt_hints_and_ctrl_d_leaves() -> None:
    talk = Talk()
    talk.enter(KeyboardInterrupt, "hello", EOFError, "never read")
    assert talk.err == "Ctrl-D or /bye leaves\n"
    assert talk.out == "Hello there.\n"


def test_ctrl_c_stops_an_answer_and_keeps_what_came() -> None:
    talk = Talk(Reply(pieces=["par", "tial"], error=KeyboardInterrupt()), Reply())
    talk.enter("go", "on")
    assert talk.out == "partial\nHello there.\n"
    assert talk.err == "stopped; what came so far is kept\n"
    assert [exchange.finish_reason for exchange in talk.chat.exchanges] == ["cancelled", "stop"]
    stopped = Talk(Reply(pieces=[], error=KeyboardInterrupt()))
    stopped.enter("go")
    assert stopped.err == "stopped; nothing is kept\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ContextError("too long", needed=9, limit=8), "error: too long\n"),
        (OSError(28, "No space left on device", "/x"), "error: No space left on device: /x\n"),
        (MemoryError("no"), "error: unexpected MemoryError: no; the conversation is as it was"),
        (RuntimeError("a\nb"), "error: unexpected RuntimeError: a b; the conversation is as it"),
    ],
)
def test_an_error_is_one_line_and_the_talk_goes_on(error: Exception, message: str) -> None:
    talk = Talk(Reply(), Reply(pieces=["par"], error=error), Reply())
    talk.enter("one", "two", "three")
    assert talk.err.startswith(message)
    assert talk.err.count("\n") == 1
    assert talk.out == "Hello there.\npar\nHello there.\n"
    assert [exchange.user.text for exchange in talk.chat.exchanges] == ["one", "three"]


def test_warnings_and_stats_stand_behind_the_answer() -> None:
    talk = Talk(Reply(reason="length", detail="the limit was reached"), Reply(pieces=[]))
    talk.enter("one", "see ./gone.png", view=View(stats=True))
    first, rest = talk.err.split("\n", 1)
    assert first == "warning: the answer is not complete (length): the limit was reached"
    assert rest.startswith("model      scripted\n")
    assert "warning: ./gone.png is no file: it stays in the prompt as text" in rest
    assert "warning: the answer has no words; the question is not kept, /retry asks it" in rest


def test_a_block_is_open_until_its_quotes_are_closed() -> None:
    texts = ('"""', '"""one\ntwo', '"""one"""', '"""one\ntwo\n"""  ', "one", '"""""" x', '""""""')
    assert [is_open_block(text) for text in texts] == [
        True, True, False, False, False, True, False,
    ]  # fmt: skip


# The first terminal that the leader of a session opens is its own: then Ctrl-C reaches it.
_OWN_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Screen:
    """A program on a pseudo-terminal: what it writes, without control sequences."""

    def __init__(self, words: list[str], environ: dict[str, str]) -> None:
        self.terminal, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, 240))  # nothing wraps
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environ,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def wait_for(self, pattern: str, *, seconds: float = 60) -> None:
        """Read until the pattern is on the screen; what stands up to it is used up."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < end, f"no {pattern!r} in {self.text[-2000:]!r}"
            assert self._read(), f"it ended without {pattern!r}: {self.text[-2000:]!r}"
        self.text = self.text[found.end() :]

    def _read(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the other side has closed it
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        return bool(data)

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def end(self) -> int:
        while self._read() and self.process.poll() is None:
            pass
        os.close(self.terminal)
        return self.process.wait(timeout=20)


def test_a_real_terminal_and_a_real_model(tmp_path: Path) -> None:
    environ = {**os.environ, "GEMMA4_HOME": str(tmp_path), "PROMPT_TOOLKIT_NO_CPR": "1"}
    environ |= {"TERM": "xterm", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    model = str(tiny_chat_directory())
    words = [sys.executable, "-m", "gemma4", "run", model, "-v", "-n", "5", "--seed", "1"]
    screen = Screen(words, environ)
    try:
        screen.wait_for(r"tiny-chat: takes image, video, audio; /help lists the commands")
        screen.wait_for(">>>")
        screen.type(f"What is {PHOTO}?\r")
        screen.wait_for(r"attached image [\s\S]*media +image, \d+ soft tokens")
        screen.wait_for(r"finish +length[\s\S]*>>>")
        screen.type("\x03")
        screen.wait_for(r"Ctrl-D or /bye leaves[\s\S]*>>>")
        screen.type('"""first\rsecond"""\r')
        screen.wait_for(r"finish +length[\s\S]*>>>")
        screen.type("/set max_tokens 4000\r")
        screen.wait_for(r"set here[\s\S]*>>>")
        screen.type("/set loop_guard off\r")
        screen.wait_for(r"set here[\s\S]*>>>")
        screen.type("Count.\r")
        screen.wait_for(r"Count\.[\s\S]{40}")  # it is at it
        screen.type("\x03")
        screen.wait_for(r"stopped; what came so far is kept[\s\S]*>>>")
        screen.type(f"/save {tmp_path}/talk.json\r")
        screen.wait_for(r"3 exchanges saved in[\s\S]*>>>")
        screen.type("\x04")
        assert screen.end() == 0
    finally:
        screen.process.kill()
        screen.process.wait()
    saved = json.loads((tmp_path / "talk.json").read_text())["exchanges"]
    assert saved[1]["user"] == [{"type": "text", "text": "first\nsecond"}]
    assert [exchange["finish_reason"] for exchange in saved] == ["length", "length", "cancelled"]
    assert '+"""first\n+second"""' in (tmp_path / "history").read_text()
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600
