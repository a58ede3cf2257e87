"""Which server an agent is to ask, and what its model can do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from ...errors import EnvironmentFault, InputError, ModelNotFoundError
from .plan import Target

ASSUMED_CONTEXT = 32_768
"""Where a server does not say, as of a model that it has not loaded."""

_SECONDS = 10.0
_LOAD_SECONDS = 1800.0


def checked_url(url: str) -> str:
    """The server's address without `/v1` and without a slash at its end.

    Raises:
        InputError: it is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"--url {url!r} is no address; write http://127.0.0.1:8080")
    return url.rstrip("/").removesuffix("/v1")


def is_there(url: str) -> bool:
    """Whether anything answers at this address."""
    try:
        httpx2.get(f"{url}/health", timeout=_SECONDS)
    except httpx2.HTTPError:
        return False
    return True


def read_target(url: str, model: str | None, key: str | None) -> Target:
    """Ask the server for the model, and have it loaded: only then is its context known.

    Raises:
        EnvironmentFault: it does not answer, or is no such server.
        InputError: it wants a key.
        ModelNotFoundError: it has no such model, or none at all.
    """
    with _Server(url, key) as server:
        found = _find(server, model)
        if found.get("loaded") is False:
            server.ask("POST", "/models/load", {"model": found["id"]}, seconds=_LOAD_SECONDS)
            found = server.ask("GET", f"/v1/models/{found['id']}")
    able = found.get("capabilities") or ()
    context = found.get("context_length")
    return Target(
        url=url,
        model=str(found["id"]),
        context=context if isinstance(context, int) else ASSUMED_CONTEXT,
        sees="vision" in able,
        thinks="thinking" in able,
        key=key,
    )


def _find(server: "_Server", model: str | None) -> Mapping[str, Any]:
    """The model of this name or alias; without a name one that is loaded, else the first."""
    models = server.ask("GET", "/v1/models").get("data") or []
    if not models:
        raise ModelNotFoundError(
            f"the server at {server.url} has no model; `gemma4 pull e2b` gets one"
        )
    if model is None:
        return next((one for one in models if one.get("loaded")), models[0])
    for one in models:
        if one.get("id") == model:
            return dict(one)
    return server.ask("GET", f"/v1/models/{model}")


class _Server:
    """Asks a server, and tells what goes wrong in one line."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(base_url=url, headers=headers, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: object = None, *, seconds: float = _SECONDS
    ) -> Mapping[str, Any]:
        """What it answers."""
        try:
            answer = self._client.request(method, path, json=body, timeout=seconds)
        except httpx2.HTTPError as error:
            raise EnvironmentFault(
                f"no server answers at {self.url} ({error}); start one: `gemma4 serve`"
            ) from error
        if answer.status_code in (401, 403):
            raise InputError(f"the server at {self.url} wants another key; give it with --api-key")
        try:
            found = dict(answer.json())
            if answer.status_code == HTTPStatus.NOT_FOUND:
                raise ModelNotFoundError(str(found["error"]["message"]))
            if answer.is_error:
                raise EnvironmentFault(
                    f"the server at {self.url} says: {found['error']['message']}"
                )
        except (ValueError, KeyError, TypeError) as error:
            raise EnvironmentFault(
                f"{self.url}{path} answers {answer.status_code} and no model; check --url"
            ) from error
        return found
