"""The program around the commands: help, exit codes, streams, colours, a quick start."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_cli import Run

from gemma4.cli import app
from gemma4.cli.output import Output, align_columns, format_bytes
from gemma4.cli.settings import read_settings
from gemma4.errors import ContextError, EnvironmentFault, InputError, VerificationError
from gemma4.hub.store import Store

COMMANDS = ("run", "pull", "ls", "show", "rm", "fit", "tokenize", "verify", "doctor")


def test_no_arguments_and_dash_h_both_help(run: Run) -> None:
    bare, asked = run(), run("-h")
    assert bare == asked
    assert bare.code == 0
    assert bare.err == ""
    for command in COMMANDS:
        assert f"\n  {command} " in bare.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_examples(run: Run, command: str) -> None:
    outcome = run(command, "-h")
    assert outcome.code == 0
    assert "Examples:" in outcome.out
    assert f"\n    gemma4 {command}" in outcome.out
    assert run(command, "--help") == outcome
    for option in ("--json", "--quiet", "--no-color"):
        assert option in outcome.out


def test_version_is_one_line(run: Run) -> None:
    assert run("--version").out.startswith("gemma4 ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frob"], "error: No such command 'frob'; see `gemma4 -h`\n"),
        (["ls", "--bad"], "error: No such option: --bad; see `gemma4 ls -h`\n"),
        (["rm"], "error: Missing argument 'models'; see `gemma4 rm -h`\n"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(run: Run, words: list[str], message: str) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == message


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("bad\nname"), 2, "error: bad name\n"),
        (EnvironmentFault("no room"), 1, "error: no room\n"),
        (VerificationError("they differ"), 1, "error: they differ\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: Permission denied: /x; check"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device; free some"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    def fail(_store: Store) -> None:
        raise error

    monkeypatch.setattr(Store, "contents", fail)
    outcome = run("ls")
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith(message)
    assert "Traceback" not in outcome.err


def test_with_json_a_failure_is_one_json_line_on_stderr(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: Store) -> None:
        raise ContextError("too long", needed=9, limit=8)

    monkeypatch.setattr(Store, "contents", fail)
    outcome = run("ls", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    report = {"type": "ContextError", "message": "too long", "exit_code": 2}
    assert json.loads(outcome.err) == {"error": {**report, "needed": 9, "limit": 8}}
    usage = run("rm", "--json")
    assert json.loads(usage.err)["error"]["type"] == "UsageError"


def test_a_defect_of_ours_shows_its_traceback_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: Store) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Store, "contents", fail)
    outcome = run("ls")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: unexpected ZeroDivisionError: oops; this is a defect of gemma4")


def test_starting_loads_nothing_heavy(home: Path) -> None:
    """Two seconds of importing torch before a help text would be felt at every call."""
    heavy = "torch numpy av PIL transformers huggingface_hub tokenizers safetensors rich jinja2"
    script = (
        "import sys; from gemma4.cli import main\n"
        f"for words in (['-h'], ['run', '-h'], ['fit', '-h'], ['pull', '-h'], ['ls']): main(words)\n"
        f"sys.stderr.write(' '.join(m for m in '{heavy}'.split() if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "GEMMA4_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1:] != []  # the note that there are no models
    assert done.stderr.endswith("gets a small one\n"), f"loaded: {done.stderr}"


def test_ctrl_c_exits_130_without_a_traceback() -> None:
    script = (
        "import sys; from gemma4.cli import main\n"
        "print('ready', flush=True); sys.exit(main(['tokenize']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)  # now it waits for its standard input
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "gemma4", "-h"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert process.returncode == 1
    assert process.stderr == b""


@pytest.mark.parametrize(("option", "shown"), [("--pieces", "'\\u4f60'"), ("--json", '"\\u4f60"')])
def test_a_stream_that_lacks_a_character_shows_its_escape(option: str, shown: str) -> None:
    """Such a stream once ended an answer with a traceback; JSON must stay JSON as well."""
    done = subprocess.run(
        [sys.executable, "-m", "gemma4", "tokenize", option, "你 😀"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout.decode("ascii")
    if option == "--json":
        assert json.loads(done.stdout)["pieces"] == ["你", " 😀"]


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"GEMMA4_HOME": "/models"}, "home", Path("/models")),
        ({"XDG_DATA_HOME": "/data"}, "home", Path("/data/gemma4")),
        ({}, "home", Path.home() / ".local/share/gemma4"),
        ({"HF_ENDPOINT": "http://mirror/"}, "endpoint", "http://mirror"),
        ({}, "endpoint", "https://huggingface.co"),
        ({"HF_TOKEN": ""}, "token", None),
        ({"GEMMA4_OFFLINE": "1"}, "offline", True),
        ({"GEMMA4_OFFLINE": "0"}, "offline", False),
        ({"HF_HUB_OFFLINE": "true"}, "offline", True),
        ({"NO_COLOR": "1"}, "no_color", True),
        ({"TERM": "dumb"}, "no_color", True),
        ({}, "no_color", False),
    ],
)
def test_the_environment_becomes_settings(
    environ: dict[str, str], field: str, value: object
) -> None:
    assert getattr(read_settings(environ), field) == value


def test_the_token_is_never_shown() -> None:
    assert "secret" not in repr(read_settings({"HF_TOKEN": "secret"}))


class Terminal:
    """A stream that claims to be a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing is held back."""


@pytest.mark.parametrize(
    ("color", "shown"), [(True, "\x1b[31merror:\x1b[0m x"), (False, "error: x")]
)
def test_colours_are_for_terminals_that_want_them(color: bool, shown: str) -> None:
    stream = Terminal()
    out = Output(color=color, stderr=stream)  # type: ignore[arg-type]  # a stream of the test
    out.fail(InputError("x"), kind="InputError", message="x", exit_code=2)
    assert stream.text == shown + "\n"
    assert out.shows_bars


def test_json_and_quiet_leave_notes_and_bars_out() -> None:
    for options in ({"as_json": True}, {"quiet": True}):
        stream = Terminal()
        out = Output(stderr=stream, **options)  # type: ignore[arg-type]  # a stream of the test
        out.note("fetching")
        assert not out.shows_bars
        assert stream.text == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (253_113_024, "253 MB"),
        (9_600_000_000, "9.6 GB"),
        (62_546_177_752, "62.5 GB"),
        (999_600_000, "1 GB"),
        (1_500_000_000_000, "1.5 TB"),
    ],
)
def test_sizes_read_as_people_write_them(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert align_columns([("A", "B"), ("long", "x")]) == ["A      B", "long   x"]


def test_only_the_command_line_reads_the_environment() -> None:
    package = Path(app.__file__).parents[1]
    readers = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "os.environ" in (text := path.read_text(encoding="utf-8")) or "getenv" in text
    ]
    assert readers == ["cli/app.py"]
