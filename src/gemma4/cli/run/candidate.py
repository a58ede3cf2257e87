"""A downloaded model that `gemma4 run` may choose."""

from dataclasses import dataclass

from ...hub.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A downloaded model: parameters, whether it is tuned for chat, bytes it needs and may have."""

    manifest: Manifest
    parameters: int
    chats: bool
    needed: int
    available: int
    fits: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Larger is better: parameters; then tuned for chat; then bytes, that is precision."""
        return (self.parameters, self.chats, self.manifest.size)
