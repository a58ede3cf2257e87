"""How much an engine takes on. How many tokens all requests together may have is a matter of its pages."""

from dataclasses import dataclass
from typing import Final

from ..fit.activations import PREFILL_CHUNK

MAX_WAITING: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one engine.

    Attributes:
        context: tokens that one request may have, its prompt and its answer together.
        max_requests: how many run at once, where there are pages for them; the others wait.
        prefill_chunk: tokens of one step: a row for each decoding request, the rest for prompts. An image
            that is seen both ways is never cut and may exceed it.
        max_waiting: how many may wait; more are refused.
    """

    context: int
    max_requests: int = 4
    prefill_chunk: int = PREFILL_CHUNK
    max_waiting: int = MAX_WAITING
