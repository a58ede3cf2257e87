"""Pictures, sounds and clips that a prompt names by path or as `data:` URL.

A path becomes an attachment if the file is there and its ending is one of a medium. It may be bare, in
quotes, or with escaped spaces, as terminals write it when a file is dropped on them. In the text the
file's name stays, so that the sentence still reads; the media stand before the text, as the models
were trained.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...text.messages import Audio, Image, Part, Video

SUFFIXES = {
    "image": (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".tif", ".tiff", ".bmp", ".jp2",
              ".ppm", ".ico", ".tga", ".qoi", ".heic", ".heif"),
    "audio": (".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aiff",
              ".aif"),
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".3gp", ".wmv",
              ".ogv"),
}  # fmt: skip
"""Endings by kind. HEIC is among them so that it is refused with its remedy, not passed over."""

_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_DATA_URL = re.compile(r"data:(image|audio|video)/[^\s\"'<>]+", re.IGNORECASE)
_OPENING, _CLOSING = "([{<", ".,;:!?)]}>"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaWords:
    """A prompt without its attachments.

    Attributes:
        text: with names in the place of paths; empty if there was nothing but attachments.
        media: in the order in which they were named.
        missing: what is written like a path to a medium, but is no file.
    """

    text: str
    media: tuple[Part, ...]
    missing: tuple[str, ...]


def kind_of(name: str) -> str | None:
    """image, audio or video, by the ending of a file's name; None if it is none of them."""
    lower = name.lower()
    return next((kind for kind, ends in SUFFIXES.items() if lower.endswith(ends)), None)


def is_media_file(word: str) -> bool:
    """Say whether a word is the path of a medium that is there."""
    return kind_of(word) is not None and _is_file(word)


def make_part(kind: str, source: str | Path | bytes) -> Part:
    """A picture, sound or clip of a conversation."""
    match kind:
        case "image":
            return Image(source)
        case "audio":
            return Audio(source)
        case _:
            return Video(source)


def find_media(prompt: str) -> MediaWords:
    """Take the attachments out of a prompt."""
    text, media, missing, bare = "", [], [], True
    end = 0
    for start, stop, source in _spans(prompt):
        if source is None:
            missing.append(prompt[start:stop])
            continue
        name, kind = _describe(source)
        media.append(make_part(kind, source))
        between = prompt[end:start]
        bare = bare and not between.strip()
        text += between + name
        end = stop
    rest = prompt[end:]
    bare = bare and not rest.strip() and bool(media)
    return MediaWords(text="" if bare else text + rest, media=tuple(media), missing=tuple(missing))


def _describe(source: str | Path) -> tuple[str, str]:
    if isinstance(source, Path):
        return source.name, kind_of(source.name) or ""
    return "", source[len("data:") :].partition("/")[0].lower()


def _spans(prompt: str) -> Iterator[tuple[int, int, str | Path | None]]:
    """Start, end and source of each medium; the source is None where the file is missing."""
    position = 0
    while position < len(prompt):
        character = prompt[position]
        if character.isspace() or character in _OPENING:
            position += 1
            continue
        url = _DATA_URL.match(prompt, position)
        if url is not None:
            yield position, url.end(), url[0]
            position = url.end()
            continue
        if character in "\"'":
            close = prompt.find(character, position + 1)
            inside = prompt[position + 1 : close] if close > 0 else ""
            if is_media_file(inside):
                yield position, close + 1, Path(inside).expanduser()
                position = close + 1
            else:
                position += 1  # an apostrophe, or quoted words: look inside
            continue
        word = _WORD.match(prompt, position)
        length = len(word[0]) if word else 1
        yield from _in_word(prompt[position : position + length], position)
        position += length


def _in_word(word: str, start: int) -> Iterator[tuple[int, int, Path | None]]:
    """The medium that a bare word names, without punctuation around it."""
    for candidate in dict.fromkeys((word, word.rstrip(_CLOSING), word.rstrip(_CLOSING + "\"'"))):
        for spelling in (candidate, re.sub(r"\\(.)", r"\1", candidate)):
            if is_media_file(spelling):
                yield start, start + len(candidate), Path(spelling).expanduser()
                return
    candidate = word.rstrip(_CLOSING + "\"'")
    if candidate.startswith(("/", "./", "../", "~/")) and kind_of(candidate) is not None:
        yield start, start + len(candidate), None


def _is_file(word: str) -> bool:
    try:
        return Path(word).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, ~ of nobody
        return False
