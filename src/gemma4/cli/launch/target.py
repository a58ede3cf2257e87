"""Which server an agent is to ask, and what its model can do."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from ...errors import EnvironmentFault, InputError, ModelNotFoundError
from .plan import Target

ASSUMED_CONTEXT = 32_768
"""Where a server does not say, as of a model that it has not loaded."""

_SECONDS = 10.0


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
    """Ask the server for its models.

    Raises:
        EnvironmentFault: it does not answer, or is no such server.
        InputError: it wants a key.
        ModelNotFoundError: it has no such model, or none at all.
    """
    models = _models(url, key)
    if not models:
        raise ModelNotFoundError(f"the server at {url} has no model; `gemma4 pull e2b` gets one")
    found = next((one for one in models if one["id"] == model), None) if model else models[0]
    if found is None:
        known = ", ".join(str(one["id"]) for one in models)
        raise ModelNotFoundError(f"the server at {url} has no model {model!r}; it has {known}")
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


def _models(url: str, key: str | None) -> list[Mapping[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx2.get(f"{url}/v1/models", headers=headers, timeout=_SECONDS)
    except httpx2.HTTPError as error:
        raise EnvironmentFault(
            f"no server answers at {url} ({error}); start one: `gemma4 serve`"
        ) from error
    if answer.status_code in (401, 403):
        raise InputError(f"the server at {url} wants a key; give it with --api-key")
    try:
        models = answer.raise_for_status().json()["data"]
        return [one for one in models if "id" in one]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            f"{url} is no server that lists models ({error}); check --url"
        ) from error
