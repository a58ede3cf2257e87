"""So many requests and tokens a minute for each key: token buckets that hold one minute's worth."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import RequestError
from ..record import record_of
from ..settings import Limits
from .asgi import refuse

_MOST_CALLERS: Final = 10_000


@dataclass(slots=True)
class Bucket:
    """Fills evenly up to a minute's worth. It may be overdrawn: a request's tokens are known late."""

    per_minute: int
    level: float
    seen: float

    def fill(self, now: float) -> None:
        """Let the time since last seen flow in."""
        self.level = min(
            float(self.per_minute), self.level + (now - self.seen) * self.per_minute / 60
        )
        self.seen = now

    def wait_seconds(self, wanted: float) -> float:
        """Seconds until so much is there; 0: it is."""
        return max(0.0, (wanted - self.level) * 60 / self.per_minute)


class Rates:
    """Refuses with 429 what comes too fast. Reading (`GET`) is free."""

    def __init__(
        self, app: ASGIApp, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._limits = limits
        self._clock = clock
        self._requests: OrderedDict[str, Bucket] = OrderedDict()
        self._tokens: OrderedDict[str, Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with the seconds to wait."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        requests = self._bucket(self._requests, caller, self._limits.requests_per_minute)
        tokens = self._bucket(self._tokens, caller, self._limits.tokens_per_minute)
        for bucket, wanted, what in ((requests, 1.0, "requests"), (tokens, 1.0, "tokens")):
            if bucket is not None and (wait := bucket.wait_seconds(wanted)) > 0:
                await refuse(scope, receive, send, _too_fast(what, bucket.per_minute, wait))
                return
        if requests is not None:
            requests.level -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            if tokens is not None:
                tokens.level -= record_of(scope).computed_tokens

    def _bucket(
        self, buckets: OrderedDict[str, Bucket], caller: str, per_minute: int | None
    ) -> Bucket | None:
        if per_minute is None:
            return None
        now = self._clock()
        bucket = buckets.setdefault(caller, Bucket(per_minute, float(per_minute), now))
        buckets.move_to_end(caller)
        bucket.fill(now)
        while len(buckets) > _MOST_CALLERS:
            buckets.popitem(last=False)
        return bucket


def caller_of(scope: Scope) -> str:
    """Whose bucket it is: the key's, or the address's where there are no keys."""
    key = scope.get("state", {}).get("key")
    if key:
        return f"key {key}"
    client = scope.get("client")
    return f"address {client[0] if client else '?'}"


def _too_fast(what: str, per_minute: int, wait: float) -> RequestError:
    seconds = max(1, math.ceil(wait))
    return RequestError(
        f"more than {per_minute} {what} a minute came from you; try again in {seconds} s",
        status=429,
        code="rate_limit_exceeded",
        retry_after=seconds,
    )
