"""`--think`, whose word may be left out: `--think`, `--think high` and `--think=high` are all understood."""

from collections.abc import Sequence

from ...errors import InputError
from ...llm.thinking import EFFORTS, Thinking, find_thinking

_FLAG = "--think"


def spell_out_think(words: Sequence[str]) -> list[str]:
    """The words of a command line with `--think` always followed by `=` and its word.

    A word that is in no table belongs to the prompt: `--think "Prove it."` is `--think=on "Prove it."`.
    """
    found: list[str] = []
    waiting = False
    for place, word in enumerate(words):
        if word == "--":
            return [*found, *words[place:]]
        if waiting and find_thinking(word) is not None:
            found[-1] = f"{_FLAG}={word}"
            waiting = False
            continue
        waiting = word == _FLAG
        found.append(f"{_FLAG}=on" if waiting else word)
    return found


def read_think(word: str | None) -> Thinking | None:
    """What the word means; None where there is none.

    Raises:
        InputError: it is none of the table's.
    """
    found = None if word is None else find_thinking(word)
    if found is None and word is not None:
        raise InputError(f"--think={word}: give one of {', '.join(EFFORTS)}")
    return found
