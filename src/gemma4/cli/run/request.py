"""What `gemma4 run` was asked for, sorted by who needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...llm.thinking import Thinking
from .answer_format import read_format
from .think import read_think

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
    """How to answer.

    Attributes:
        thinking: None: nothing was said.
        raw: without a template; None leaves it to the model.
        format: of the answer.
    """

    system: str | None = None
    thinking: Thinking | None = None
    options: Mapping[str, Any]
    image_budget: int | None = None
    raw: bool | None = None
    format: "Format | None" = None

    @classmethod
    def of(cls, think: str | None, format: str | None, **rest: Any) -> "Manner":
        """From the words of `--think` and `--format`.

        Raises:
            InputError: one of them is none of those that are known.
        """
        return cls(thinking=read_think(think), format=read_format(format), **rest)


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
