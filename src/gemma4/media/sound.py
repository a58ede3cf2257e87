"""Decode the sound of any container to 16 kHz mono, at most 30 s of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from gemma4.errors import MediaError
from gemma4.media.container import open_container, stream_kinds
from gemma4.media.mel import SAMPLE_RATE
from gemma4.media.source import MediaSource

MAX_SECONDS = 30

_RATES = (1_000, 768_000)  # Hz; outside, a header is wrong and resampling would cost much memory
_LOUDEST = 16.0  # decoders overshoot 1 a little; far beyond it, samples are on another scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Decoded samples.

    Attributes:
        waveform: float32 [W] at 16 kHz, in [-1, 1], W at most 30 s.
        cut: True if the sound goes on after 30 s.
        declared_seconds: how long the container says the sound is, if it does.
    """

    waveform: NDArray[np.float32]
    cut: bool
    declared_seconds: float | None


def decode_sound(source: MediaSource) -> Sound:
    """Decode the first 30 s of the best audio stream; channels are averaged.

    Memory does not grow with the length of the sound.

    Raises:
        MediaError: no sound, an empty or a damaged one, or samples far outside [-1, 1].
    """
    limit = MAX_SECONDS * SAMPLE_RATE
    parts: list[NDArray[np.float32]] = []
    samples = 0
    with open_container(source) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            raise MediaError(
                f"{source.name} holds no sound that can be decoded (it holds: {stream_kinds(container)}); "
                "give a file with an audio stream"
            )
        declared = _declared_seconds(container, stream)
        for part in mono_parts(source, container, stream):
            parts.append(part)
            samples += len(part)
            if samples > limit:
                break
    if not samples:
        raise MediaError(f"{source.name}: 0 s of sound; at least one sample is needed")
    waveform = np.concatenate(parts)[:limit]
    check_scale(source, waveform)
    return Sound(
        waveform=np.clip(waveform, -1.0, 1.0), cut=samples > limit, declared_seconds=declared
    )


def mono_parts(
    source: MediaSource, container: InputContainer, stream: AudioStream
) -> Iterator[NDArray[np.float32]]:
    """Pieces of the sound at 16 kHz, each float32 [n], as they are decoded."""
    current: tuple[int, str, str] | None = None
    resampler = _new_resampler()
    for frame in container.decode(stream):
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != current:  # chained streams may change it midway
            if current is not None:
                yield from map(_average_channels, resampler.resample(None))
                resampler = _new_resampler()
            _check_rate(source, frame.sample_rate)
            current = kind
        yield from map(_average_channels, resampler.resample(frame))
    if current is not None:
        yield from map(_average_channels, resampler.resample(None))


def _new_resampler() -> AudioResampler:
    # Channels are kept: libav's own mixing to one channel is 3 dB louder than the mean. They are
    # interleaved: PyAV reads past its table of planes when there are more than eight.
    return AudioResampler(format="flt", rate=SAMPLE_RATE)


def _average_channels(frame: AudioFrame) -> NDArray[np.float32]:
    samples = np.asarray(frame.to_ndarray(), dtype=np.float32)  # [1, n · channels]
    return samples.reshape(frame.samples, -1).mean(axis=1, dtype=np.float32)


def _declared_seconds(container: InputContainer, stream: AudioStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1_000_000


def _check_rate(source: MediaSource, rate: int) -> None:
    low, high = _RATES
    if not low <= rate <= high:
        raise MediaError(
            f"{source.name}: {rate} samples a second, the limits are {low} and {high}; "
            "convert it to 16 kHz"
        )


def check_scale(source: MediaSource, waveform: NDArray[np.float32]) -> None:
    """Refuse samples far outside [-1, 1].

    Raises:
        MediaError: with the loudest of them.
    """
    peak = float(np.max(np.abs(waveform)))
    if not peak <= _LOUDEST:  # also true of a peak that is not a number
        raise MediaError(
            f"{source.name}: samples up to {peak:g}, the scale is -1 to 1; "
            "save it as 16-bit, or divide its samples by their peak"
        )
