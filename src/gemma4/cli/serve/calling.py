"""A running server, asked by another command of this machine's user."""

from pathlib import Path
from typing import Any

import httpx2

from ...errors import EnvironmentFault
from .state import Running, running_servers

_SECONDS = 10.0


def only_server(home: Path, url: str | None) -> Running:
    """The server that is meant: the one at this address, or the youngest.

    Raises:
        EnvironmentFault: none runs.
    """
    servers = running_servers(home)
    for server in servers:
        if url is None or server.url.rstrip("/") == url.rstrip("/"):
            return server
    where = f" at {url}" if url else ""
    raise EnvironmentFault(f"no server runs{where}; `gemma4 serve` starts one")


def call(server: Running, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What it answers, as JSON.

    Raises:
        EnvironmentFault: it does not answer, or with an error.
    """
    headers = {} if server.key is None else {"authorization": f"Bearer {server.key}"}
    try:
        with httpx2.Client(trust_env=False, timeout=_SECONDS) as client:
            answer = client.request(method, f"{server.url}{path}", json=body, headers=headers)
    except httpx2.HTTPError as error:
        raise EnvironmentFault(f"the server at {server.url} does not answer: {error}") from error
    if answer.is_error:
        raise EnvironmentFault(f"the server at {server.url} says: {_message(answer)}")
    return answer.json()


def _message(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
