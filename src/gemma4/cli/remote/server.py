"""A server that speaks OpenAI's protocol, ours or another: requests out, chunks of streams in."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from ...errors import EnvironmentFault, InputError, ModelNotFoundError

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 600.0
_MAX_LINE = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteServer:
    """Where it is, and the key that it wants.

    Attributes:
        url: up to and including `/v1`, or whatever stands in its place.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def sends_key_openly(self) -> bool:
        """Whether the key goes over the network unencrypted."""
        parts = urlsplit(self.url)
        here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        return self.key is not None and parts.scheme == "http" and not here

    def models(self) -> list[Mapping[str, Any]]:
        """The models that it lists; each has an `id`.

        Raises:
            EnvironmentFault, InputError: it cannot be reached, or does not answer as such servers do.
        """
        with self._open("GET", "/models") as answer:
            found = _json(answer.read(), self.url)
        listed = found.get("data") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise EnvironmentFault(f"{self.url}/models is no list of models; check the URL")
        return [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)]

    def chat(self, body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The chunks of an answer; a server that does not stream gives one.

        Raises:
            EnvironmentFault, InputError: it refuses, fails, or hangs up in the middle.
        """
        with self._open("POST", "/chat/completions", body) as answer:
            if "json" in answer.headers.get("content-type", ""):
                yield _as_chunk(_json(answer.read(), self.url))
                return
            for data in _payloads(answer.iter_lines(), self.url):
                chunk = _json(data.encode(), self.url)
                if not isinstance(chunk, dict):
                    raise EnvironmentFault(f"{self.url} sent a chunk that is no object")
                if chunk.get("error"):
                    raise EnvironmentFault(f"{self.url} says: {_message(chunk)}")
                yield chunk

    @contextmanager
    def _open(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Iterator[httpx2.Response]:
        headers = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        try:
            with (
                httpx2.Client(timeout=timeout) as client,
                client.stream(method, f"{self.url}{path}", json=body, headers=headers) as answer,
            ):
                if not answer.is_success:
                    answer.read()
                    raise _refusal(self.url, path, answer)
                yield answer
        except httpx2.ConnectError as error:
            raise EnvironmentFault(
                f"{self.url} cannot be reached ({error}); check the URL, and that the server runs"
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            what = str(error) or type(error).__name__
            raise EnvironmentFault(
                f"{self.url} does not answer as a server does: {what}"
            ) from error


def remote_server(url: str, key: str | None) -> RemoteServer:
    """A server by the URL that a person gives: `localhost:8080` is `http://localhost:8080/v1`.

    Raises:
        InputError: it is no URL of HTTP.
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fits = False
    if not fits:
        raise InputError(
            f"--url {url!r} is no URL of a server; give one like http://localhost:8080"
        )
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return RemoteServer(url=base if parts.path.strip("/") else f"{base}/v1", key=key)


def _payloads(lines: Iterator[str], url: str) -> Iterator[str]:
    """What the events of a stream carry, up to `[DONE]`; comments and other fields say nothing here."""
    for line in lines:
        if len(line) > _MAX_LINE:
            raise EnvironmentFault(f"{url} sent a line of more than {_MAX_LINE >> 20} MiB")
        name, _, value = line.partition(":")
        if name != "data":
            continue
        payload = value.strip()
        if payload == "[DONE]":
            return
        if payload:
            yield payload


def _as_chunk(answer: Any) -> Mapping[str, Any]:
    """A whole answer in the form of a chunk."""
    if not isinstance(answer, dict):
        return {}
    choices = [
        {**choice, "delta": choice.get("message") or {}}
        for choice in answer.get("choices") or ()
        if isinstance(choice, dict)
    ]
    return {**answer, "choices": choices}


def _json(data: bytes, url: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EnvironmentFault(
            f"{url} sent what is no JSON; is it a server of OpenAI's protocol?"
        ) from error


def _refusal(url: str, path: str, answer: httpx2.Response) -> Exception:
    """What a status means, with the server's own words."""
    status = answer.status_code
    try:
        said = _message(answer.json())
    except (ValueError, RecursionError):
        said = ""
    words = f": {said}" if said else ""
    if status in (401, 403):
        return EnvironmentFault(
            f"{url} refuses the key ({status}){words}; set GEMMA4_API_KEY or give --api-key"
        )
    if status == 404 and not said:
        return ModelNotFoundError(f"{url}{path} is not there (404); check the URL")
    if status == 404:
        return ModelNotFoundError(f"{url} says (404){words}; choose another with --model")
    if status < 400:
        return EnvironmentFault(f"{url} leads elsewhere ({status}); give the URL it leads to")
    if status < 500 and status != 429:
        return InputError(f"{url} refuses the request ({status}){words}")
    return EnvironmentFault(f"{url} cannot answer now ({status}){words}")


def _message(answer: Any) -> str:
    """The words of an error in any of the usual forms, on one line."""
    found = (
        answer.get("error", answer.get("detail", answer)) if isinstance(answer, dict) else answer
    )
    if isinstance(found, dict):
        found = found.get("message", found)
    text = found if isinstance(found, str) else json.dumps(found)
    return " ".join(text.split())[:500]
