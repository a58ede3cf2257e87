"""How many tokens to draft for each request of a pass."""

from collections.abc import Sequence

from .costs import Costs

LEAST_GAIN = 1.02  # less is noise


def plan_counts(reaches: Sequence[Sequence[float]], costs: Costs) -> list[int]:
    """The draft lengths that give the most tokens a second; all 0 if plain passes do.

    Tokens are added in the order of their chance, whoever's they are, and the best point on the way
    is taken: no other choice of as many rows expects more tokens.

    Args:
        reaches: for each request, the chance that its first 1, 2, … drafted tokens are all right.
    """
    requests = len(reaches)
    order = sorted(
        ((chance, -place, i) for i, row in enumerate(reaches) for place, chance in enumerate(row)),
        reverse=True,
    )
    counts = [0] * requests
    best, best_rate = list(counts), LEAST_GAIN * requests / costs.of_pass(requests)
    expected = float(requests)
    for added, (chance, _, i) in enumerate(order, start=1):
        counts[i] += 1
        expected += chance
        seconds = costs.of_pass(requests + added) + costs.of_draft(max(counts), added)
        if expected / seconds > best_rate:
            best, best_rate = list(counts), expected / seconds
    return best
