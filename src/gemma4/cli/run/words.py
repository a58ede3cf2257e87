"""Which of the words of `gemma4 run` is the model, and which are the prompt.

The first word is the model, unless `--model` gives one, if it

    is a short name, or the name of a downloaded model
    is a directory with a model, or a .gguf or .safetensors file
    looks like a model: organization/name, name:tag, gemma…, 12b…, a path to anything but a medium
    is a bare word before a quoted prompt: `gemma4 run e3b "Why is the sky blue?"`

In the last two cases it may not exist: that is an error with a remedy, never a prompt by surprise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...catalog import is_known_name
from ...hub.store import Store
from .media_words import is_media_file, kind_of

_MODEL_SUFFIXES = (".gguf", ".safetensors")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*")
_TAGGED = re.compile(r"[A-Za-z0-9][\w.-]*:[\w.-]+")
_FAMILY = re.compile(r"(gemma[\w.-]*|e?\d+b([-_.:][\w.:-]*)?)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunWords:
    """The words sorted. `model` is None where none was named; `prompt` may be empty.

    Attributes:
        guessed: the model's name is a word that might have been meant as part of the prompt.
    """

    model: str | None
    prompt: str
    guessed: bool = False


def split_words(words: Sequence[str], model: str | None, store: Store) -> RunWords:
    """Sort the words. Only looks at names and files; opens none."""
    if model is not None or not words:
        return RunWords(model=model, prompt=" ".join(words))
    first, rest = words[0], words[1:]
    if _is_model(first, store):
        return RunWords(model=first, prompt=" ".join(rest))
    if _looks_like_model(first) or _stands_before_quoted(first, rest):
        return RunWords(model=first, prompt=" ".join(rest), guessed=True)
    return RunWords(model=None, prompt=" ".join(words))


def _is_model(word: str, store: Store) -> bool:
    if is_known_name(word) or word in {found.name for found in store.contents().models}:
        return True
    path = Path(word).expanduser()
    if path.is_dir():
        names = [file.name.lower() for file in path.iterdir()]
        return any(name == "config.json" or name.endswith(_MODEL_SUFFIXES) for name in names)
    return path.is_file() and word.lower().endswith(_MODEL_SUFFIXES)


def _looks_like_model(word: str) -> bool:
    if is_media_file(word) or any(character.isspace() for character in word):
        return False
    if word.startswith(("./", "../", "/", "~")) or "\\" in word:
        return kind_of(word) is None  # a missing picture is reported as a picture
    if word.lower().endswith(_MODEL_SUFFIXES):
        return True
    patterns = (_REPOSITORY, _TAGGED, _FAMILY)
    return kind_of(word) is None and any(pattern.fullmatch(word) for pattern in patterns)


def _stands_before_quoted(word: str, rest: Sequence[str]) -> bool:
    """A shell hands over `"two words"` as one word: then the first was meant to be something else."""
    if not rest or any(character.isspace() for character in word) or kind_of(word) is not None:
        return False
    quoted = rest[0]
    return any(character.isspace() for character in quoted) and not is_media_file(quoted)
