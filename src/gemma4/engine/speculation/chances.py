"""How often drafted tokens turn out right, by their place in the draft."""

PRIOR = 0.7  # hopeful, so that a new request is tried at all
PRIOR_WEIGHT = 4  # drafts that it counts for
MEMORY = 16  # drafts that count once there are so many


class Chances:
    """Exponential averages: the chance of the j-th drafted token if those before it were right."""

    def __init__(self, longest: int) -> None:
        self._chances = [PRIOR] * longest
        self._seen = [PRIOR_WEIGHT] * longest

    def record(self, drafted: int, accepted: int) -> None:
        """Learn from one draft; tokens behind the first wrong one say nothing."""
        for place in range(min(accepted + 1, drafted)):
            right = 1.0 if place < accepted else 0.0
            self._seen[place] = min(self._seen[place] + 1, MEMORY)
            self._chances[place] += (right - self._chances[place]) / self._seen[place]

    def reach(self, count: int) -> list[float]:
        """The chance that the first 1, 2, … `count` tokens are all right; never rises."""
        reached, chances = 1.0, []
        for chance in self._chances[:count]:
            reached *= chance
            chances.append(reached)
        return chances

    def check(self) -> None:
        """Chances are chances, and no place was seen less than at first or more than counts."""
        assert all(0.0 <= chance <= 1.0 for chance in self._chances)
        assert all(PRIOR_WEIGHT <= count <= MEMORY for count in self._seen)
