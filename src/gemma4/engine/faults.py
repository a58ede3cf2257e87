"""Errors of passes and drafts that the engine got over, and what an answer says of them."""


class Faults:
    """Counted for all requests together.

    Attributes:
        count: passes and drafts that raised. last: the latest error, in words.
        repeated: passes of several requests that raised and were run again request by request.
        drafting: what drafting was stopped by; None if it was not.
    """

    def __init__(self) -> None:
        self.count = self.repeated = 0
        self.last: str | None = None
        self.drafting: str | None = None
        self._last_repeated: str | None = None

    def note_pass(self, error: Exception, *, repeats: bool) -> None:
        """A pass raised; it `repeats` if it was of more than one request."""
        self._note(error)
        if repeats:
            self.repeated += 1
            self._last_repeated = self.last

    def note_drafting(self, error: Exception) -> None:
        """Drafting raised and is stopped."""
        self._note(error)
        self.drafting = self.last

    def remarks(self, repeated: int) -> tuple[str, ...]:
        """What an answer says that began when so many passes had been repeated."""
        told = []
        if count := self.repeated - repeated:
            passes = "1 pass failed and was" if count == 1 else f"{count} passes failed and were"
            told.append(f"{passes} repeated request by request: {self._last_repeated}")
        if self.drafting is not None:
            told.append(f"drafting was stopped by an error: {self.drafting}")
        return tuple(told)

    def check(self) -> None:
        """Counts and words agree."""
        assert 0 <= self.repeated <= self.count, f"{self.repeated} of {self.count} were repeated"
        assert (self.last is None) == (self.count == 0), "an error without words"
        assert (self._last_repeated is None) == (self.repeated == 0), "a repetition without words"

    def _note(self, error: Exception) -> None:
        self.count += 1
        self.last = f"{type(error).__name__}: {error}"
