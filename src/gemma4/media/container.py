"""Open a file of sound or pictures in motion through libav, safely and without noise."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.container
import av.error

from gemma4.errors import MediaError
from gemma4.media.source import MediaSource

# A play list or reel names further files and addresses; none is opened, whatever it says.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}


@contextmanager
def open_container(source: MediaSource) -> Iterator[av.container.InputContainer]:
    """Open any container libav knows; its errors, then and inside the block, become `MediaError`.

    Raises:
        MediaError: not such a file, or damaged.
    """
    with source.open() as stream:
        try:
            with av.open(
                stream,
                "r",
                container_options=_NO_OTHER_FILES,
                metadata_errors="replace",
            ) as container:
                try:
                    yield container
                except _LIBAV_ERRORS as error:
                    raise MediaError(
                        f"{source.name}: damaged {container.format.name} data "
                        f"({_reason(error)}); copy it again or convert it to MP4, WAV or FLAC"
                    ) from error
        except _LIBAV_ERRORS as error:
            raise MediaError(
                f"{source.name} is no sound or video that can be read ({_reason(error)}); "
                "convert it to MP4, WAV or FLAC"
            ) from error


def stream_kinds(container: av.container.InputContainer) -> str:
    """What the container holds, in words, for a message."""
    return ", ".join(stream.type for stream in container.streams) or "nothing"


# PyAV raises ValueError and its kin on values libav itself let pass, such as a rate of zero.
_LIBAV_ERRORS = (av.error.FFmpegError, ValueError, ArithmeticError, RuntimeError)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.error.FFmpegError) else str(error)
    return " ".join((text or type(error).__name__).split())[:120]
