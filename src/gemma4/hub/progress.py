"""How a download tells its caller how far it is. Who draws it is not known here."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Bytes of one file that are there, of how many. The last report of a file has both equal."""

    file: str
    done: int
    total: int


Report = Callable[[Progress], None]
