"""What `gemma4 run` was asked for, sorted by who needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

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

    @classmethod
    def at(
        cls,
        context: int | None,
        dtype: str,
        device: str,
        kernels: str,
        threads: int | None,
        drafter: str,
    ) -> Self:
        """From options, in the order of the command line's help."""
        return cls(
            context=context,
            dtype=dtype,
            device=device,
            kernels=kernels,
            threads=threads,
            drafter=drafter,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tooling:
    """What the model may call, and who is asked before it does.

    Attributes:
        files: of Python. servers: commands or URLs of MCP servers.
        runs_all: nobody is asked.
        max_rounds: of calls.
    """

    files: tuple[Path, ...] = ()
    servers: tuple[str, ...] = ()
    runs_all: bool = False
    max_rounds: int = 16

    @classmethod
    def of(
        cls,
        files: Sequence[Path] | None,
        servers: Sequence[str] | None,
        *,
        yes: bool,
        max_rounds: int,
    ) -> Self:
        """From options, where None stands for nothing given."""
        return cls(
            files=tuple(files or ()),
            servers=tuple(servers or ()),
            runs_all=yes,
            max_rounds=max_rounds,
        )

    @property
    def is_empty(self) -> bool:
        """There is nothing to call."""
        return not (self.files or self.servers)


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What is shown: thoughts, statistics, pieces as they come."""

    thought: bool = True
    stats: bool = False
    streams: bool = True
