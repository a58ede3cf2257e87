"""`gemma4 launch`: each agent's configuration, the agent run, a server started where none is."""

import json
import os
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import live_server
from run_cli import Outcome, Run
from scripted_model import scripted_llm
from tiny_chat import tiny_chat_directory

from gemma4.cli.launch.plan import Places, Target
from gemma4.cli.launch.server import running, serve_command
from gemma4.cli.launch.setup import AGENTS
from gemma4.cli.launch.target import is_there
from gemma4.errors import EnvironmentFault, InputError

PROGRAMS = {"continue": "cn"}
RECORDER = """#!{python}
import json, os, sys
json.dump([sys.argv[1:], dict(os.environ)], open({out!r}, "w"))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live_server([scripted_llm(lambda _: "Hi.", context=4096)]) as server:
        yield server.url


class User:
    """A user with a home of their own, and programs that write down how they were started."""

    def __init__(self, run: Run, folder: Path, url: str) -> None:
        self._run, self._url = run, url
        self.home = folder / "user"
        self.bin = folder / "bin"
        self.log = folder / "started.json"
        self.home.mkdir()
        self.bin.mkdir()

    def install(self, agent: str) -> None:
        path = self.bin / PROGRAMS.get(agent, agent)
        path.write_text(RECORDER.format(python=sys.executable, out=str(self.log)))
        path.chmod(0o755)

    def launch(self, *words: str, **environ: str) -> Outcome:
        settings = {"HOME": str(self.home), "PATH": str(self.bin), **environ}
        return self._run("launch", "--url", self._url, *words, **settings)

    def started(self) -> tuple[list[str], dict[str, str]]:
        arguments, environ = json.loads(self.log.read_text())
        return arguments, environ

    def files(self) -> dict[str, str]:
        found = (path for path in self.home.rglob("*") if path.is_file())
        return {str(path.relative_to(self.home)): path.read_text() for path in found}


@pytest.fixture
def user(run: Run, tmp_path: Path, url: str) -> User:
    return User(run, tmp_path, url)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_is_started_with_its_exit_code_and_put_back(user: User, agent: str) -> None:
    user.install(agent)
    outcome = user.launch(agent, "--", "-p", "do it")
    assert outcome.code == 7, outcome.err
    arguments, environ = user.started()
    assert arguments[-2:] == ["-p", "do it"]
    assert environ["HOME"] == str(user.home)
    everything = json.dumps([arguments, environ, user.files()])
    assert "scripted" in everything
    before = user.files()
    assert user.launch(agent).code == 7
    assert user.files() == before
    assert user.launch(agent, "--restore").code == 0
    assert user.files() == {}


def test_codex_gets_a_profile_and_a_catalogue(user: User, url: str) -> None:
    (user.home / ".codex").mkdir()
    own = '# mine\nmodel = "gpt"\n'
    (user.home / ".codex" / "config.toml").write_text(own)
    user.install("codex")
    user.launch("codex")
    files = user.files()
    assert files[".codex/config.toml"] == own
    profile = tomllib.loads(files[".codex/gemma4.config.toml"])
    assert profile["model"] == "scripted"
    assert profile["model_context_window"] == 4096
    provider = profile["model_providers"][profile["model_provider"]]
    assert provider["base_url"] == f"{url}/v1"
    assert provider["wire_api"] == "responses"
    (model,) = json.loads(Path(profile["model_catalog_json"]).read_text())["models"]
    assert model["slug"] == "scripted"
    assert model["context_window"] == 4096
    assert model["input_modalities"] == ["text", "image"]
    assert user.started()[0] == ["--profile", "gemma4"]


def test_claude_code_gets_an_environment_and_no_file(user: User, url: str) -> None:
    user.install("claude")
    user.launch("claude", ANTHROPIC_API_KEY="sk-real")
    environ = user.started()[1]
    assert environ["ANTHROPIC_BASE_URL"] == url
    assert environ["ANTHROPIC_AUTH_TOKEN"]
    assert environ["ANTHROPIC_API_KEY"] == ""
    assert environ["ANTHROPIC_MODEL"] == environ["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "scripted"
    assert environ["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    assert user.files() == {}


def test_a_provider_joins_those_of_the_user(user: User, url: str) -> None:
    path = user.home / ".config" / "opencode" / "opencode.json"
    path.parent.mkdir(parents=True)
    own = {"model": "anthropic/claude", "provider": {"other": {"npm": "x"}}}
    path.write_text(json.dumps(own))
    outcome = user.launch("opencode", "--config-only")
    assert outcome.code == 0
    assert outcome.out == "opencode --model gemma4/scripted\n"
    found = json.loads(path.read_text())
    assert found["model"] == "anthropic/claude"
    assert found["provider"]["other"] == {"npm": "x"}
    ours = found["provider"]["gemma4"]
    assert ours["options"]["baseURL"] == f"{url}/v1"
    assert ours["models"]["scripted"]["limit"] == {"context": 4096, "output": 1024}
    user.launch("opencode", "--restore")
    assert json.loads(path.read_text()) == own


def test_a_file_with_comments_is_left_alone(user: User) -> None:
    path = user.home / ".qwen" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"a": 1, // mine\n}')
    user.install("qwen")
    outcome = user.launch("qwen")
    assert outcome.code == 2
    assert "comments in it would be lost" in outcome.err
    assert path.read_text() == '{"a": 1, // mine\n}'
    assert not user.log.exists()


def test_a_missing_agent_is_one_line_and_writes_nothing(user: User) -> None:
    outcome = user.launch("codex")
    assert outcome.code == 1
    assert outcome.err == "error: codex is not installed; run `npm install -g @openai/codex`\n"
    assert user.files() == {}


def test_what_cannot_be_done_is_one_line(user: User, run: Run) -> None:
    user.install("codex")
    bin = str(user.bin)
    assert "there is no agent 'vim'; known are codex" in user.launch("vim").err
    assert "there is no model 'x' here" in user.launch("codex", "--model", "x").err
    nobody = run("launch", "codex", "--url", "http://127.0.0.1:9", PATH=bin)
    assert nobody.code == 2
    assert "no server answers at http://127.0.0.1:9; start one with `gemma4 serve`" in nobody.err
    assert "is no address" in run("launch", "codex", "--url", "localhost", PATH=bin).err
    assert "nothing of codex was changed" in user.launch("codex", "--restore").err


def test_claude_code_refuses_names_with_a_slash(tmp_path: Path) -> None:
    target = Target(url="http://x", model="a/b", context=4096, sees=False, thinks=False)
    places = Places(home=tmp_path, ours=tmp_path, environ={})
    with pytest.raises(InputError, match="--alias gemma=a/b"):
        AGENTS["claude"].plan(target, places)


SERVER = """
import http.server, sys
print("up", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def test_a_server_is_started_waited_for_and_ended(tmp_path: Path) -> None:
    port = _free_port()
    address, log = f"http://127.0.0.1:{port}", tmp_path / "logs" / "serve.log"
    with running([sys.executable, "-c", SERVER, str(port)], address, log, os.environ):
        assert is_there(address)
    assert not is_there(address)
    assert log.read_text().startswith("up")
    with (
        pytest.raises(EnvironmentFault, match="ended with 3 and said: no memory; all of it: "),
        running([sys.executable, "-c", "print('no memory'); exit(3)"], address, log, os.environ),
    ):
        pass
    assert serve_command("http://localhost:8080", "e4b")[-5:] == [
        "e4b", "--host", "localhost", "--port", "8080",
    ]  # fmt: skip
    with pytest.raises(InputError, match="none can be started there"):
        serve_command("http://example.com", "e4b")


def test_a_server_of_ours_runs_beside_the_agent_and_ends_with_it(run: Run, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{_free_port()}"
    user = User(run, tmp_path, address)
    user.install("aider")
    found = user.launch(
        "--model", str(tiny_chat_directory()), "aider", GEMMA4_HOME=str(tmp_path / "ours")
    )
    assert found.code == 7, found.err
    assert f"starting a server: {sys.executable} -m gemma4 serve" in found.err
    arguments, environ = user.started()
    assert environ["OPENAI_API_BASE"] == f"{address}/v1"
    limits = json.loads(Path(arguments[arguments.index("--model-metadata-file") + 1]).read_text())
    assert limits[arguments[1]]["max_input_tokens"] > 0
    assert not is_there(address)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
