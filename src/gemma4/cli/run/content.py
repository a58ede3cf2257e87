"""What is asked: media and text from options, from the prompt and from a pipe."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import InputError
from ...text.messages import Audio, Image, Part, Text, Video
from .media_words import find_media, make_part

MAX_PIPED_BYTES = 256 * 1024 * 1024
"""More from a pipe is a mistake: no context holds it."""

STDIN = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """Media and text.

    Attributes:
        given: media of options. found: media that the prompt names.
        text: with names in the place of paths. untouched: the text as it was given.
        missing: what is written like a path to a medium, but is no file.
    """

    given: tuple[Part, ...] = ()
    found: tuple[Part, ...] = ()
    text: str = ""
    untouched: str = ""
    missing: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing is asked."""
        return not (self.given or self.found or self.text)

    @property
    def notes(self) -> tuple[str, ...]:
        """What became an attachment."""
        return tuple(f"attached {describe_part(part)}" for part in self.found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks like an attachment and is none."""
        return tuple(
            f"{path} is no file: it stays in the prompt as text, nothing is attached"
            for path in self.missing
        )


def stdin_is_terminal() -> bool:
    """Whether a person can type."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def read_piped(media: Mapping[str, Sequence[str]]) -> bytes | None:
    """What comes through a pipe, to its end; None if stdin is a terminal or closed.

    Raises:
        InputError: over `MAX_PIPED_BYTES`, or `-` was given and nothing comes.
    """
    wanted = sum(sources.count(STDIN) for sources in media.values())
    if wanted > 1:
        raise InputError(f"`-` stands for stdin and is given {wanted} times; give it once")
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        if wanted:
            raise InputError("`-` stands for stdin, which is no pipe; give a path")
        return None
    data = sys.stdin.buffer.read(MAX_PIPED_BYTES + 1)
    if len(data) > MAX_PIPED_BYTES:
        raise InputError(f"stdin has more than the {MAX_PIPED_BYTES:,} bytes allowed; pipe less")
    if wanted and not data:
        raise InputError("`-` stands for stdin, which is empty; pipe the medium into it")
    return data


def gather_content(
    prompt: str, media: Mapping[str, Sequence[str]], *, piped: bytes | None
) -> Content:
    """Put together what is asked.

    Text from the pipe stands after the prompt; paths in it are text, only the prompt's are followed.

    Raises:
        InputError: the pipe brings no text. MediaError: a medium is not there.
    """
    given = [_open(kind, source, piped) for kind, sources in media.items() for source in sources]
    takes_pipe = any(STDIN in sources for sources in media.values())
    found = find_media(prompt)
    text = "" if piped is None or takes_pipe else _decode(piped)
    return Content(
        given=tuple(given),
        found=found.media,
        text=_join(found.text, text),
        untouched=_join(prompt, text),
        missing=found.missing,
    )


def _join(prompt: str, piped: str) -> str:
    return "\n\n".join(text for text in (prompt, piped) if text)


def describe_part(part: Part) -> str:
    """A medium in a few words: its kind and where it comes from."""
    match part:
        case Text():
            return f"{len(part.text)} characters"
        case Image() | Audio() | Video():
            source = part.source
            name = f"of {len(source):,} bytes" if isinstance(source, bytes) else str(source)
            name = name if len(name) <= 60 else f"{name[:59]}…"
            return f"{type(part).__name__.lower()} {name}"


def _open(kind: str, source: str, piped: bytes | None) -> Part:
    if source == STDIN:
        return make_part(kind, piped or b"")
    return check_part(make_part(kind, source))


def check_part(part: Part) -> Part:
    """Return a medium whose source is there.

    Raises:
        MediaError: no such file, an empty one, or a URL other than `data:`.
    """
    from ...media.source import resolve_source

    if not isinstance(part, Text):
        resolve_source(part.source)
    return part


def _decode(piped: bytes) -> str:
    """Text of a pipe, without the newline that ends its last line."""
    try:
        text = piped.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} of stdin is no UTF-8 (0x{piped[error.start]:02x}); convert text "
            "first, for example with iconv; pass a medium with --image -, --audio - or --video -"
        ) from error
    return text.removesuffix("\n").removesuffix("\r")
