"""A server asked without any client: what really goes over the wire."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Stream:
    """A stream of server-sent events: the objects after `data:`, comments, and whether it was ended."""

    events: list[dict[str, Any]]
    comments: list[str]
    done: bool

    @property
    def deltas(self) -> list[dict[str, Any]]:
        """Of chat chunks that have a choice."""
        return [event["choices"][0]["delta"] for event in self.events if event["choices"]]


@dataclass(frozen=True)
class RawHttp:
    """Asks one server."""

    url: str

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The answer's JSON; it must be a success."""
        found = httpx2.get(self.url + path, params=query, timeout=60)
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """The answer's JSON; it must be a success."""
        found = httpx2.post(self.url + path, json=body, timeout=60)
        assert found.status_code == 200, found.text
        return found.json()

    def error(self, path: str, body: Any, status: int = 400) -> dict[str, Any]:
        """The error's fields; it must have this status and OpenAI's form."""
        found = httpx2.post(self.url + path, json=body, timeout=60)
        assert found.status_code == status, found.text
        error = found.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error

    def stream(self, path: str, body: dict[str, Any]) -> Stream:
        """A whole stream; its lines must be events and comments and nothing else."""
        found = httpx2.post(self.url + path, json={**body, "stream": True}, timeout=60)
        assert found.status_code == 200, found.text
        assert found.headers["content-type"].startswith("text/event-stream")
        events, comments, done = [], [], False
        for block in found.text.split("\n\n")[:-1]:
            assert "\n" not in block
            assert not done, "something came after [DONE]"
            if block.startswith(":"):
                comments.append(block)
            elif block == "data: [DONE]":
                done = True
            else:
                events.append(json.loads(block.removeprefix("data: ")))
        return Stream(events, comments, done)
