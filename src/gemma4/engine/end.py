"""Why generation ended."""

from dataclasses import dataclass
from typing import Literal

EndReason = Literal["stop", "length", "loop", "context"]


@dataclass(frozen=True, slots=True)
class End:
    """Why generation ended. `stop_id` is the id that ended it; `period` that of a loop in tokens."""

    reason: EndReason
    stop_id: int | None = None
    period: int | None = None
