"""Responses kept for a while, in memory: the longest unused go first when there are too many, or too much."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import RequestError
from .body import Item
from .runs import Run

MOST: Final = 1000
MOST_BYTES: Final = 256 * 2**20


@dataclass(slots=True, kw_only=True)
class Kept:
    """One response.

    Attributes:
        response: as clients get it; grows while it runs.
        items: the whole conversation that it answers.
        log: its events; None where it was not asked for as a stream.
        run: what makes it, where it was asked for in the background.
        size: in bytes of JSON, about.
    """

    response: dict[str, Any]
    items: Sequence[Item]
    log: list[dict[str, Any]] | None = None
    run: Run | None = None
    size: int = 0

    @property
    def id(self) -> str:
        """By which it is asked for."""
        return self.response["id"]

    @property
    def is_running(self) -> bool:
        """Whether it is still being made."""
        return self.run is not None and not self.run.is_over


class ResponseStore:
    """What was kept, the longest unused first.

    Args:
        most: responses. most_bytes: of all of them.
    """

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def keep(self, kept: Kept) -> None:
        """Keep a response, or what it has become; one larger than all room is not kept."""
        self._forget(kept.id)
        kept.size = sum(_size(one) for one in (kept.response, kept.items, kept.log))
        self._kept[kept.id] = kept
        self._bytes += kept.size
        for id in list(self._kept):
            if len(self._kept) <= self._most and self._bytes <= self._most_bytes:
                return
            if not self._kept[id].is_running:
                self._forget(id)

    def find(self, id: str, *, param: str = "response_id") -> Kept:
        """One of them, which was used by that.

        Raises:
            RequestError: it is not here, or no more.
        """
        if id not in self._kept:
            raise RequestError(
                f"Response with id {id!r} not found: it was not stored, was deleted, or made room for "
                "newer ones; send the whole conversation",
                status=404,
                code="not_found",
                param=param,
            )
        self._kept.move_to_end(id)
        return self._kept[id]

    def drop(self, id: str) -> None:
        """Keep it no longer; what makes it is stopped.

        Raises:
            RequestError: it is not here.
        """
        kept = self.find(id)
        if kept.run is not None:
            kept.run.cancel()
        self._forget(id)

    def item(self, id: str, *, where: str) -> Item:
        """An item of any response that is kept.

        Raises:
            RequestError: no response has it.
        """
        for kept in reversed(self._kept.values()):
            for item in (*kept.response["output"], *kept.items):
                if item.get("id") == id:
                    return item
        raise RequestError(
            f"{where} refers to item {id!r}, which no stored response has; send the item itself",
            status=404,
            code="not_found",
            param=where,
        )

    def _forget(self, id: str) -> None:
        if (kept := self._kept.pop(id, None)) is not None:
            self._bytes -= kept.size


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))
