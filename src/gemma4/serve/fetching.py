"""Fetches a medium that a client names by URL, without becoming the client's arm into this network.

    resolve → every address public? → connect to the checked address itself → redirect: from the start

Bounded: bytes, seconds, redirects, kinds of content. No proxy, no cookie, no credential goes along.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx2

from .addresses import Resolve, is_public, resolve_all
from .errors import RequestError
from .settings import Limits

_MOST_REDIRECTS: Final = 3
_STEP_SECONDS: Final = 5.0
_KINDS: Final = ("image/", "audio/", "video/", "application/octet-stream", "binary/octet-stream")
_REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class MediaFetcher:
    """Fetches.

    Attributes:
        resolve: names → addresses. is_allowed: whether one may be connected to.
    """

    limits: Limits
    resolve: Resolve = resolve_all
    is_allowed: Callable[[str], bool] = is_public

    def fetch(self, url: str, *, param: str) -> bytes:
        """What is at a URL. Blocks: call it on a thread.

        Raises:
            RequestError: an address that may not be asked, too much, too slow, no medium, or an error.
        """
        end = time.monotonic() + self.limits.media_seconds
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                found = self._hop(url, end, param)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
        except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
            if time.monotonic() >= end:
                raise self._too_slow(param) from error
            raise _refused(param, f"could not be fetched: {error}") from error
        raise _refused(param, f"was redirected more than {_MOST_REDIRECTS} times")

    def _hop(self, url: str, end: float, param: str) -> bytes | str:
        """The content, or where it is instead."""
        target = httpx2.URL(url)
        if target.scheme not in ("http", "https") or not target.host:
            raise _refused(param, f"leads to {url[:60]!r}, which is no http(s) URL")
        address = self._address(target, param)
        step = min(_STEP_SECONDS, max(0.001, end - time.monotonic()))
        with httpx2.Client(trust_env=False, timeout=step, follow_redirects=False) as client:
            alarm = threading.Timer(max(0.0, end - time.monotonic()), client.close)
            alarm.daemon = True
            alarm.start()
            try:
                return self._read(client, target, address, end, param)
            finally:
                alarm.cancel()

    def _read(
        self, client: httpx2.Client, target: httpx2.URL, address: str, end: float, param: str
    ) -> bytes | str:
        host = target.netloc.rpartition(b"@")[2].decode()
        where = target.copy_with(host=address, username=None, password=None)
        request = client.build_request(
            "GET",
            where,
            headers={
                "host": host,
                "accept": "image/*, audio/*, video/*",
                "accept-encoding": "identity",
            },
            extensions={"sni_hostname": target.host},
        )
        answer = client.send(request, stream=True)
        try:
            if answer.status_code in _REDIRECTS and "location" in answer.headers:
                return str(answer.headers["location"])
            if answer.status_code != 200:
                raise _refused(param, f"was answered with status {answer.status_code}")
            self._check_head(answer, param)
            return self._content(answer, end, param)
        finally:
            answer.close()

    def _address(self, target: httpx2.URL, param: str) -> str:
        """The address to connect to; all of a name's must be allowed, or the name is not to be trusted."""
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            found = self.resolve(target.host, port)
        except OSError as error:
            raise _refused(
                param, f"names {target.host!r}, which has no address ({error})"
            ) from error
        closed = [address for address in found if not self.is_allowed(address)]
        if closed or not found:
            raise _refused(
                param,
                f"names {target.host!r}, an address of this machine or its networks, which is not fetched "
                "from",
            )
        return found[0]

    def _check_head(self, answer: httpx2.Response, param: str) -> None:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith(_KINDS):
            raise _refused(param, f"is of type {kind[:60]!r}, which is no picture, sound or video")
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limits.media_bytes:
            raise self._too_long(int(length), param)

    def _content(self, answer: httpx2.Response, end: float, param: str) -> bytes:
        chunks, size = [], 0
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > self.limits.media_bytes:
                raise self._too_long(size, param)
            if time.monotonic() >= end:
                raise self._too_slow(param)
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_long(self, size: int, param: str) -> RequestError:
        limit = self.limits.media_bytes
        return _refused(param, f"has {size:,} bytes or more and the limit is {limit:,}")

    def _too_slow(self, param: str) -> RequestError:
        return _refused(param, f"took longer than {self.limits.media_seconds:g} s")


def _refused(param: str, why: str) -> RequestError:
    return RequestError(
        f"{param}: the URL {why}; send the medium as a data: URL",
        param=param,
        code="media_not_fetched",
    )
