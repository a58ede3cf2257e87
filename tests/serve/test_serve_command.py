"""`gemma4 serve` as a process: banner, signals, and the commands that look after it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_server import wait_until
from tiny_chat import tiny_chat_directory

from gemma4.cli import main
from gemma4.cli.serve.state import running_servers, write_down

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0}


@contextmanager
def serving(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and the lines it has said so far."""
    environ = {**os.environ, "GEMMA4_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "gemma4",
        "serve",
        str(tiny_chat_directory()),
        "--port",
        "0",
        *words,
    ]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert process.stderr is not None
    stderr = process.stderr
    reading = threading.Thread(target=lambda: lines.extend(stderr), daemon=True)

    def read() -> None:
        for line in stderr:
            lines.append(line.rstrip("\n"))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        wait_until(lambda: any("is loaded" in line for line in lines), seconds=60)
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reading.join(5)
        stderr.close()


def url_of(lines: list[str]) -> str:
    return lines[0].removeprefix("gemma4 serves at ")


def test_a_server_and_the_commands_that_look_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> str:
        assert main(words, {"GEMMA4_HOME": str(tmp_path)}) == 0
        captured = capsys.readouterr()
        return captured.out + captured.err

    with serving(tmp_path, "--api-key", "secret", "--log-prompts") as (process, lines):
        text, url = "\n".join(lines), url_of(lines)
        for part in (
            "free, fits; context",
            f"{url}/v1",
            "answers at once",
            "curl",
            "--log-prompts",
        ):
            assert part in text
        headers = {"authorization": "Bearer secret"}
        chat = f"{url}/v1/chat/completions"
        answer = httpx2.post(
            chat, json={**BODY, "max_tokens": 4}, headers=headers, trust_env=False, timeout=30
        )
        assert answer.status_code == 200
        assert httpx2.get(f"{url}/ps", trust_env=False, timeout=30).status_code == 401
        listed = json.loads(run("ps", "--json"))
        assert [model["id"] for model in listed[0]["models"]] == ["tiny-chat"]
        assert "tiny-chat" in run("ps")
        assert "prompt" not in run("logs", "--json", "--tail", "0").replace(
            "prompt_tokens", ""
        ).replace("prompts", "")
        assert "<|turn>user\nhi" in run("logs", "--prompts")
        assert "goes as soon as nobody uses it" in run("stop", "tiny-chat")
        wait_until(lambda: json.loads(run("ps", "--json"))[0]["models"] == [])
        assert "has ended" in run("stop")
        assert process.wait(10) == 0
        assert lines[-1] == "ended"
    assert "no server runs" in run("ps")
    assert main(("stop",), {"GEMMA4_HOME": str(tmp_path)}) == 1


def test_a_signal_lets_answers_end_and_a_second_does_not(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, lines):
        url, found = url_of(lines), []

        def ask(tokens: int) -> None:
            body = {**BODY, "max_tokens": tokens, "stream": True, "loop_guard": False}
            try:
                with httpx2.stream(
                    "POST", f"{url}/v1/chat/completions", json=body, trust_env=False, timeout=60
                ) as answer:
                    found.append(answer.read().decode())
            except httpx2.HTTPError as error:
                found.append(type(error).__name__)

        asking = threading.Thread(target=ask, args=(300,))
        asking.start()
        wait_until(lambda: running(url) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        asking.join(10)
        assert found[0].endswith("data: [DONE]\n\n")
        assert running_servers(tmp_path) == []
    with serving(tmp_path) as (process, lines):
        url = url_of(lines)
        asking = threading.Thread(target=ask, args=(8000,))
        asking.start()
        wait_until(lambda: running(url) == 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 128 + signal.SIGINT
        asking.join(10)
        assert found[1] == "RemoteProtocolError"


def running(url: str) -> int:
    models = httpx2.get(f"{url}/ps", trust_env=False, timeout=30).json()["models"]
    count: int = models[0]["running"]
    return count


def test_a_port_in_use_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = main(("serve", "--port", str(port)), {"GEMMA4_HOME": str(tmp_path)})
    error = capsys.readouterr().err
    assert code == 1
    assert error == (
        f"error: port {port} of 127.0.0.1 is in use; `gemma4 ps` shows this user's servers, "
        "--port takes another\n"
    )


def test_a_server_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    path = write_down(tmp_path, url="http://127.0.0.1:1", log=tmp_path / "x", key="k")
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert [server.url for server in running_servers(tmp_path)] == ["http://127.0.0.1:1"]
    found = json.loads(path.read_text())
    path.write_text(
        json.dumps(found | {"started": found["started"] - 100})
    )  # the pid of another now
    assert running_servers(tmp_path) == []
    assert not path.exists()


def test_a_server_for_everybody_warns(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as (_, lines):
        assert any("everybody who reaches 0.0.0.0" in line for line in lines)
