"""What `gemma4 run` was asked for, sorted by who needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...llm.thinking import Thinking

if TYPE_CHECKING:
    from ...grammar.formats import Format


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Words and media as given. `media`: kind → paths, `data:` URLs or `-`."""

    words: tuple[str, ...]
    model: str | None
    media: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(
        cls, words: Sequence[str] | None, model: str | None, **media: Sequence[str] | None
    ) -> "Question":
        """From options, where None stands for nothing given."""
        given = {kind: tuple(sources or ()) for kind, sources in media.items()}
        return cls(words=tuple(words or ()), model=model, media=given)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How to answer. `raw`: without a template; None leaves it to the model. `format`: of the answer."""

    system: str | None = None
    thinking: Thinking = field(default_factory=Thinking)
    options: Mapping[str, Any]
    image_budget: int | None = None
    raw: bool | None = None
    format: "Format | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """Where and in what dtype the model runs, how many tokens it may hold, and what guesses ahead."""

    context: int | None = None
    dtype: str = "auto"
    device: str = "auto"
    kernels: str = "auto"
    threads: int | None = None
    drafter: str = "lookup"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What is shown: thoughts, statistics, pieces as they come."""

    thought: bool = True
    stats: bool = False
    streams: bool = True
