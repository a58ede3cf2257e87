"""What an answer must obey, token by token: the seam for grammars. Letters: V vocab."""

from typing import Protocol

from torch import Tensor


class Constraint(Protocol):
    """The state of one request's grammar. It is asked once and told once for each token, in order."""

    @property
    def period(self) -> int | None:
        """Tokens that the answer repeats without end, once that is seen: it ends with reason `loop`."""
        ...

    def restrict(self, logits: Tensor) -> Tensor:
        """The float32 scores [V] with −inf for every token that may not come next; one may always come."""
        ...

    def accept(self, token: int) -> None:
        """Take the token that was chosen."""
        ...
