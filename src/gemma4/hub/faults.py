"""What a hub's refusals and a network's failures mean, and what the user can do about them."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from ..errors import DownloadError, EnvironmentFault, Gemma4Error, ModelNotFoundError


@contextmanager
def explaining_hub(
    endpoint: str, repository: str, *, revision: str | None, has_token: bool, is_known: bool = False
) -> Iterator[None]:
    """Turn every failure of a request to the hub into one of our errors.

    Args:
        is_known: the hub has shown the repository before, so "not found" is its own fault.

    Raises:
        ModelNotFoundError: no such repository or revision.
        DownloadError: the network or the hub failed, or refused.
        EnvironmentFault: the network may not be used.
    """
    try:
        yield
    except Gemma4Error:
        raise
    except HFValidationError as error:
        raise ModelNotFoundError(
            f"{repository!r} is no repository id; write it as organization/name"
        ) from error
    except OfflineModeIsEnabled as error:
        raise EnvironmentFault(
            f"{repository} cannot be fetched offline; unset HF_HUB_OFFLINE, or copy the model here"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPStatusError) as error:
        if is_known and error.response.status_code == 404:
            raise _failing(endpoint, repository, 404) from error
        raise _explain(error.response, endpoint, repository, revision, has_token) from error
    except httpx2.HTTPError as error:
        raise DownloadError(
            f"{endpoint} cannot be reached or broke off ({type(error).__name__}: {error}); check "
            "the network, or set HF_ENDPOINT to a mirror, then pull again: what was fetched is kept"
        ) from error
    except (httpx2.InvalidURL, ValueError, TypeError, KeyError, AttributeError) as error:
        if is_known:
            raise  # it has answered as a hub does: this one is ours
        raise DownloadError(
            f"{endpoint} did not answer as a model hub does ({type(error).__name__}: {error}); "
            "check HF_ENDPOINT and whether a proxy answers in its place"
        ) from error


def _explain(
    response: httpx2.Response,
    endpoint: str,
    repository: str,
    revision: str | None,
    has_token: bool,
) -> Gemma4Error:
    page, status = f"{endpoint}/{repository}", response.status_code
    match response.headers.get("X-Error-Code"):
        case "GatedRepo":
            remedy = (
                "wait until the account of HF_TOKEN is let in"
                if has_token
                else "set HF_TOKEN to a token of your account (or run `hf auth login`)"
            )
            return DownloadError(
                f"{repository} is gated: accept its licence at {page}, {remedy}, then pull again"
            )
        case "RevisionNotFound":
            return ModelNotFoundError(
                f"{repository} has no revision {revision}; {page}/commits lists them"
            )
    if status == 404 or (status == 401 and not has_token):
        return ModelNotFoundError(
            f"{endpoint} shows no {repository} to you ({status}); check the spelling; "
            "a private repository needs HF_TOKEN"
        )
    if status in (401, 403):
        return DownloadError(
            f"{page} refused access ({status}); check that HF_TOKEN is valid and may read it"
        )
    return _failing(endpoint, repository, status)


def _failing(endpoint: str, repository: str, status: int) -> DownloadError:
    return DownloadError(
        f"{endpoint} answered {status} for {repository}; try again later: what was fetched is kept"
    )
