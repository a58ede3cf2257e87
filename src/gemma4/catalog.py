"""The family: short names, repositories, licences, sizes and capabilities. Literal facts, no network.

e2b                   google/gemma-4-E2B-it
e2b:base              google/gemma-4-E2B
e2b:qat-q4_0          google/gemma-4-E2B-it-qat-q4_0-gguf
gemma3:270m           google/gemma-3-270m
"""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .config.model import ModelConfig
from .config.published import PUBLISHED_MODELS
from .errors import ModelNotFoundError


class Tag(StrEnum):
    """Which checkpoint of a size."""

    IT = "it"
    BASE = "base"
    QAT_Q4_0 = "qat-q4_0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """Terms that come with the weights."""

    name: str
    url: str


APACHE_2: Final = Licence(name="Apache-2.0", url="https://www.apache.org/licenses/LICENSE-2.0")
"""Gemma 4's."""

GEMMA_TERMS: Final = Licence(name="Gemma Terms of Use", url="https://ai.google.dev/gemma/terms")
"""Gemma 3's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyMember:
    """One size.

    Attributes:
        name: short name, the key in `PUBLISHED_MODELS`.
        total_parameters: all, tied head counted once, buffers with clip bounds included.
        effective_parameters: without the per-layer table and the towers: what E2B and E4B are called by.
        active_parameters: that one token passes; the total of the text decoder where there are no experts.
        repositories: tag → repository of the Hugging Face hub; the first is the default.
        drafter_repository: the drafter for the instruction-tuned checkpoint, None if there is none.
    """

    name: str
    title: str
    total_parameters: int
    effective_parameters: int
    active_parameters: int
    licence: Licence
    repositories: tuple[tuple[str, str], ...]
    drafter_repository: str | None = None

    @property
    def config(self) -> ModelConfig:
        """The published configuration."""
        return PUBLISHED_MODELS[self.name]

    @property
    def context(self) -> int:
        """Tokens that fit."""
        return self.config.text.max_positions

    @property
    def modalities(self) -> tuple[str, ...]:
        """What goes in: text, image, video, audio."""
        return self.config.modalities


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogName:
    """A size and which of its checkpoints, as a user named it."""

    member: FamilyMember
    tag: str
    repository: str

    @property
    def text(self) -> str:
        """The short name; the default tag is left out."""
        default = self.member.repositories[0][0]
        return self.member.name if self.tag == default else f"{self.member.name}:{self.tag}"


def _gemma4(
    name: str, size: str, *, total: int, effective: int, active: int | None = None
) -> FamilyMember:
    """A Gemma 4 size; `size` is its spelling in repository names."""
    repository = f"google/gemma-4-{size}"
    return FamilyMember(
        name=name,
        title=f"Gemma 4 {size}",
        total_parameters=total,
        effective_parameters=effective,
        active_parameters=active or effective,
        licence=APACHE_2,
        repositories=(
            (Tag.IT.value, f"{repository}-it"),
            (Tag.BASE.value, repository),
            (Tag.QAT_Q4_0.value, f"{repository}-it-qat-q4_0-gguf"),
        ),
        drafter_repository=f"{repository}-it-assistant",
    )


FAMILY: Final[tuple[FamilyMember, ...]] = (
    _gemma4("e2b", "E2B", total=5_104_298_467, effective=2_279_759_139),
    _gemma4("e4b", "E4B", total=7_941_101_802, effective=4_644_441_130),
    _gemma4("12b", "12B", total=11_959_730_224, effective=11_907_350_320),
    _gemma4(
        "26b-a4b",
        "26B-A4B",
        total=25_805_936_206,
        effective=25_233_141_790,
        active=3_822_530_590,
    ),
    _gemma4("31b", "31B", total=31_273_088_876, effective=30_697_345_340),
    FamilyMember(
        name="gemma3:270m",
        title="Gemma 3 270M",
        total_parameters=268_098_176,
        effective_parameters=268_098_176,
        active_parameters=268_098_176,
        licence=GEMMA_TERMS,
        repositories=((Tag.BASE.value, "google/gemma-3-270m"),),
    ),
)
"""Every size with a short name, smallest Gemma 4 first."""


def known_names() -> tuple[str, ...]:
    """Every name `parse_name` takes, in its shortest form."""
    return tuple(
        member.name if index == 0 else f"{member.name}:{tag}"
        for member in FAMILY
        for index, (tag, _) in enumerate(member.repositories)
    )


def parse_name(name: str) -> CatalogName:
    """Look up a short name such as `e2b`, `E2B:base` or `gemma3:270m`; case does not matter.

    Raises:
        ModelNotFoundError: no such name; the message has the nearest one and all of them.
    """
    wanted = name.strip().lower()
    for member in FAMILY:
        for index, (tag, repository) in enumerate(member.repositories):
            spellings = {f"{member.name}:{tag}"} | ({member.name} if index == 0 else set())
            if wanted in spellings:
                return CatalogName(member=member, tag=tag, repository=repository)
    known = known_names()
    begun = [candidate for candidate in known if wanted and candidate.startswith(wanted)]
    near = begun or difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ModelNotFoundError(
        f"no model is called {name!r}; {hint}known: {', '.join(known)}, or give a repository id, "
        f"a directory or a .gguf file"
    )


def is_known_name(name: str) -> bool:
    """Say whether `parse_name` takes a name."""
    try:
        parse_name(name)
    except ModelNotFoundError:
        return False
    return True


def find_by_repository(repository: str) -> CatalogName | None:
    """The catalog's name of a repository of the hub, None if it is not in the catalog."""
    for member in FAMILY:
        for tag, known in member.repositories:
            if known.lower() == repository.lower():
                return CatalogName(member=member, tag=tag, repository=known)
    return None
