"""What a pass gives for the rows whose logits are wanted. Letters: R rows, D model width, V vocab."""

from typing import NamedTuple

from torch import Tensor


class Scored(NamedTuple):
    """`hidden` [R, D] behind the final norm, `logits` float32 [R, V]."""

    hidden: Tensor
    logits: Tensor

    def first(self, count: int) -> "Scored":
        """The first rows, copied."""
        return Scored(self.hidden[:count].clone(), self.logits[:count].clone())
