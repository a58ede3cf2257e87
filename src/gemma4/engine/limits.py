"""How much an engine takes on."""

from dataclasses import dataclass
from typing import Final

from ..fit.activations import PREFILL_CHUNK

MAX_WAITING: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one engine.

    Attributes:
        context: tokens that a prompt and its answer may have together.
        max_requests: how many run at once; the others wait.
        prefill_chunk: tokens of one step: a row for each decoding request, the rest for prompts. An image
            that is seen both ways is never cut and may exceed it.
        max_waiting: how many may wait; more are refused.
    """

    context: int
    max_requests: int = 4
    prefill_chunk: int = PREFILL_CHUNK
    max_waiting: int = MAX_WAITING
