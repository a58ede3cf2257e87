"""Ends an answer at a stop string, also when it is split over tokens; the string itself is left out."""

from collections.abc import Sequence


class StopStrings:
    """Holds back the longest end of the text that may still become a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit: str | None = None

    def push(self, text: str) -> str:
        """Take more text, return what is safe to show; `hit` is set once a stop string is complete."""
        if not self._stops:
            return text
        text = self._held + text
        found = [(text.index(stop), stop) for stop in self._stops if stop in text]
        if found:
            start, self.hit = min(found)
            self._held = ""
            return text[:start]
        keep = max(self._open_end(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back and became no stop string."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _open_end(text: str, stop: str) -> int:
        """Length of the longest end of text that begins the stop string."""
        longest = min(len(text), len(stop) - 1)
        return next((n for n in range(longest, 0, -1) if stop.startswith(text[-n:])), 0)
