"""MCP servers by the official package, over stdio and HTTP."""

import json
import threading
import time

import pytest
from mcp_examples import COMMAND, PHOTO, http_server

from gemma4.errors import EnvironmentFault, InputError
from gemma4.text.messages import Image
from gemma4.tools import Toolbox, open_mcp, open_toolbox


@pytest.fixture(scope="module")
def over_stdio() -> object:
    with Toolbox([open_mcp(COMMAND)]) as box:
        yield box


@pytest.fixture(scope="module")
def over_http() -> object:
    with http_server() as url, Toolbox([open_mcp(url)]) as box:
        yield box


@pytest.mark.parametrize("transport", ["over_stdio", "over_http"])
def test_tools_are_listed_and_called(transport: str, request: pytest.FixtureRequest) -> None:
    box: Toolbox = request.getfixturevalue(transport)
    assert [tool.name for tool in box.offered] == ["add", "look", "fail", "sleep"]
    add = box.offered[0]
    assert add.description == "Add two numbers."
    assert add.parameters["properties"]["a"]["type"] == "integer"
    assert json.loads(box.call("add", {"a": 2, "b": 3}).text) == 5
    failed = box.call("fail", {"reason": "no luck"})
    assert failed.is_error
    assert "no luck" in failed.text
    (image,) = box.call("look", {}).media
    assert image == Image(PHOTO.read_bytes())


def test_two_servers_with_the_same_tools_are_told_apart() -> None:
    with http_server() as url, open_toolbox((), (COMMAND, url)) as box:
        names = [tool.name for tool in box.offered]
        assert names[:5] == ["add", "look", "fail", "sleep", "web__add"]
        assert box.call("web__add", {"a": 1, "b": 1}).text == "2"


def test_a_server_that_goes_is_an_error_of_the_call() -> None:
    with http_server() as url:
        box = Toolbox([open_mcp(url)])
    gone = box.call("add", {"a": 1, "b": 1})
    assert gone.is_error
    assert gone.text.startswith("error: ")
    box.close()


def test_calls_of_several_threads_run_side_by_side(over_stdio: Toolbox) -> None:
    started = time.monotonic()
    threads = [
        threading.Thread(target=over_stdio.call, args=("sleep", {"seconds": 1.0})) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 3.5


def test_what_is_no_server_is_one_line() -> None:
    with pytest.raises(EnvironmentFault, match="'no-such-program' does not answer: "):
        open_mcp("no-such-program")
    with pytest.raises(EnvironmentFault, match="does not answer"):
        open_mcp("http://127.0.0.1:9/mcp")
    with pytest.raises(InputError, match="is no command"):
        open_mcp("unclosed 'quote")
    with pytest.raises(InputError, match="is empty"):
        open_mcp(" ")
