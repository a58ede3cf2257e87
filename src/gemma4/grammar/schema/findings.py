"""What a schema says that a grammar cannot hold an answer to: an error, or a loosened spot with a warning."""

from dataclasses import dataclass, field

from ...errors import GrammarError


@dataclass(frozen=True, slots=True)
class Loosened:
    """A spot of a schema that the grammar does not hold the answer to.

    Attributes:
        pointer: JSON pointer to the subschema, the keyword not included; empty for the root.
        reason: in words.
    """

    pointer: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        return f"{self.pointer}/{self.keyword}: {self.reason}"


@dataclass(slots=True)
class Findings:
    """Collects what is met while a schema is read.

    Attributes:
        strict: raise at the first finding.
        loosened: each spot once, in the order it was met.
    """

    strict: bool
    loosened: dict[Loosened, None] = field(default_factory=dict)

    def unsupported(self, pointer: str, keyword: str, reason: str) -> None:
        """Note that a keyword is not enforced.

        Raises:
            GrammarError: if that is not good enough.
        """
        self._note(pointer, keyword, f"cannot be enforced: {reason}", reason)

    def malformed(self, pointer: str, keyword: str, reason: str) -> None:
        """Note that a keyword means nothing in JSON Schema as it stands there.

        Raises:
            GrammarError: as above.
        """
        self._note(pointer, keyword, f"is malformed: {reason}", f"malformed: {reason}")

    def _note(self, pointer: str, keyword: str, problem: str, reason: str) -> None:
        if self.strict:
            raise GrammarError(
                f"schema keyword {keyword!r} at {pointer or '/'} {problem}; "
                "mend it or leave it out, or ask for it without strict",
                pointer=pointer,
                keyword=keyword,
            )
        self.loosened[Loosened(pointer, keyword, reason)] = None
