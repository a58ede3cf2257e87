"""`GET /tools` and `POST /tools/call` on a real server, with a Python file and an MCP server behind it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from live_server import live_server
from mcp_examples import COMMAND
from scripted_model import scripted_llm
from test_serve_command import serving

from gemma4.cli import main
from gemma4.cli.serve.state import running_servers
from gemma4.tools import open_toolbox

SOURCE = '''
def double(text: str) -> str:
    """Say it twice."""
    return text * 2

def broken() -> str:
    """Fail."""
    raise RuntimeError("no")
'''


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    path: Path = tmp_path_factory.mktemp("tools") / "mine.py"
    path.write_text(SOURCE)
    llm = scripted_llm(lambda _: "Hi.")
    with (
        open_toolbox((path,), (COMMAND,)) as box,
        live_server([llm], toolbox=box) as server,
        httpx2.Client(base_url=server.url, timeout=60) as found,
    ):
        yield found


def test_tools_are_listed_as_chat_completions_take_them(client: httpx2.Client) -> None:
    found = client.get("/tools").json()
    names = [tool["function"]["name"] for tool in found["tools"]]
    assert names == ["double", "broken", "add", "look", "fail", "sleep"]
    answer = client.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "hi"}], "tools": found["tools"]},
    )
    assert answer.status_code == 200


def test_calls_are_run(client: httpx2.Client) -> None:
    def call(name: str, **arguments: object) -> dict[str, object]:
        answer = client.post("/tools/call", json={"name": name, "arguments": arguments})
        assert answer.status_code == 200
        return dict(answer.json())

    assert call("double", text="ab") == {"content": "abab", "is_error": False, "images": []}
    assert call("add", a=1, b=2)["content"] == "3"
    assert call("broken") == {"content": "error: RuntimeError: no", "is_error": True, "images": []}
    (image,) = call("look")["images"]  # type: ignore[misc]
    assert image.startswith("data:image/jpeg;base64,/9j/")


def test_a_foreign_page_cannot_call(client: httpx2.Client) -> None:
    body = '{"name": "double", "arguments": {"text": "x"}}'
    as_form = client.post("/tools/call", content=body, headers={"content-type": "text/plain"})
    assert as_form.status_code == 415
    without = client.post("/tools/call", content=body)
    assert without.status_code == 415
    json = {"content-type": "application/json"}
    foreign = client.post(
        "/tools/call", content=body, headers={**json, "origin": "https://evil.com"}
    )
    assert foreign.status_code == 403
    assert foreign.json()["error"]["type"] == "permission_error"
    sandboxed = client.post("/tools/call", content=body, headers={**json, "origin": "null"})
    assert sandboxed.status_code == 403
    own = {**json, "origin": str(client.base_url).rstrip("/")}
    assert client.post("/tools/call", content=body, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "nothing"}, 404, "there is no tool 'nothing'"),
        ({"arguments": {}}, 400, "name: Field required"),
        ({"name": "double", "arguments": [1]}, 400, "arguments: Input should be"),
        ([], 400, "the body"),
    ],
)
def test_a_wrong_call_is_an_error(
    client: httpx2.Client, body: object, status: int, words: str
) -> None:
    answer = client.post("/tools/call", json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_without_tools_the_list_is_empty() -> None:
    with live_server([scripted_llm(lambda _: "Hi.")]) as server:
        assert httpx2.get(f"{server.url}/tools").json()["tools"] == []


def test_the_flags_reach_the_routes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    with serving(tmp_path, "--tools", str(path), "--mcp", COMMAND) as (_, lines):
        assert any(line.startswith("tools: double, broken, add") for line in lines)
        (server,) = running_servers(tmp_path)
        answer = httpx2.post(
            f"{server.url}/tools/call", json={"name": "add", "arguments": {"a": 20, "b": 22}}
        )
        assert answer.json()["content"] == "42"


def test_tools_for_the_whole_network_need_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("serve", "--host", "0.0.0.0", "--port", "0", "--mcp", COMMAND)
    assert main(words, {"GEMMA4_HOME": str(tmp_path)}) == 2
    assert "--mcp lets whoever reaches 0.0.0.0 run code" in capsys.readouterr().err
