"""What a checked draft becomes: the tokens that would have come without it. Letters: K drafted, V vocab."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from ..sampler import Choice


def accept(
    choose: Callable[[Tensor], Choice], logits: Tensor, draft: Sequence[int]
) -> Iterator[Choice]:
    """Yield the choices that the scores of one pass over a draft allow: 1 to K + 1 of them.

    Row i of the logits [K + 1, V] stands behind the first i drafted tokens, so it counts only if all
    of them were chosen. `choose` is the sampler's own: each token is chosen from the target's scores,
    in order, with the penalties, the constraint and the random numbers it would have had without a
    draft. The answer is therefore the same token for token, greedy or drawn, and its distribution too.

    A caller that ends the request at a choice stops asking; later rows then leave no trace.
    """
    for row, drafted in zip(logits, (*draft, None), strict=True):
        choice = choose(row)
        yield choice
        if choice.id != drafted:
            return


def count_accepted(chosen: Sequence[int], draft: Sequence[int]) -> int:
    """How many drafted ids were right, from the ids that were chosen of `accept`."""
    pairs = enumerate(zip(chosen, draft, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(chosen), len(draft)))
