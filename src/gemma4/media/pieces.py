"""A sound of any length as pieces of at most 30 s, cut where it is quietest.

|……………………………………………………… 20 s ……quiet…… 30 s|……
                                ↑ cut in the middle of the quietest 0.3 s of the last 10
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from gemma4.errors import MediaError
from gemma4.media.container import open_container, stream_kinds
from gemma4.media.mel import SAMPLE_RATE
from gemma4.media.sound import MAX_SECONDS, check_scale, mono_parts
from gemma4.media.source import Source, resolve_source

SEARCHED = 10  # seconds before the longest end of a piece in which a quiet place is looked for
_WINDOW = SAMPLE_RATE * 3 // 10
_STEP = SAMPLE_RATE // 100
_QUIET = 0.01  # of full scale; speech is above it


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a sound.

    Attributes:
        waveform: float32 [W] at 16 kHz, in [-1, 1], W at most 30 s.
        start: samples before it.
        cut_in_sound: whether it ends where it is not quiet, so that a word may be cut.
    """

    waveform: NDArray[np.float32]
    start: int
    cut_in_sound: bool = False

    @property
    def seconds(self) -> tuple[float, float]:
        """Where it begins and ends."""
        end = self.start + len(self.waveform)
        return self.start / SAMPLE_RATE, end / SAMPLE_RATE

    @property
    def is_silent(self) -> bool:
        """Whether it holds no sound at all."""
        return not np.any(self.waveform)

    def wav(self) -> bytes:
        """As a WAV file of 32-bit floats: nothing is lost."""
        data = self.waveform.astype("<f4").tobytes()
        rate = SAMPLE_RATE
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32)
        body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
        return struct.pack("<4sI", b"RIFF", len(body)) + body


def cut_sound(source: Source) -> Iterator[Piece]:
    """Decode a sound as far as the next piece needs; memory does not grow with its length.

    Raises:
        MediaError: no sound, an empty or a damaged one, or samples far outside [-1, 1].
    """
    resolved = resolve_source(source)
    longest, start = MAX_SECONDS * SAMPLE_RATE, 0
    waiting = np.empty(0, dtype=np.float32)
    with open_container(resolved) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            raise MediaError(
                f"{resolved.name} holds no sound that can be decoded (it holds: "
                f"{stream_kinds(container)}); give a file with an audio stream"
            )
        for part in mono_parts(resolved, container, stream):
            check_scale(resolved, part)
            waiting = np.concatenate((waiting, np.clip(part, -1.0, 1.0)))
            while len(waiting) > longest:
                end, is_quiet = _cut(waiting[:longest])
                yield Piece(waveform=waiting[:end], start=start, cut_in_sound=not is_quiet)
                waiting, start = waiting[end:], start + end
    if not start and not len(waiting):
        raise MediaError(f"{resolved.name}: 0 s of sound; at least one sample is needed")
    yield Piece(waveform=waiting, start=start)


def _cut(waveform: NDArray[np.float32]) -> tuple[int, bool]:
    """Samples up to the middle of the quietest window near the end, and whether it is quiet there."""
    first = len(waveform) - SEARCHED * SAMPLE_RATE
    sums = np.concatenate(([0.0], np.cumsum(np.square(waveform[first:], dtype=np.float64))))
    energies = (sums[_WINDOW:] - sums[:-_WINDOW])[::_STEP]
    quietest = len(energies) - 1 - int(np.argmin(energies[::-1]))  # of equals the last
    loudness = float(np.sqrt(energies[quietest] / _WINDOW))
    return first + quietest * _STEP + _WINDOW // 2, loudness < _QUIET
