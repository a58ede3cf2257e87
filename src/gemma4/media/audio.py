"""Prepare a sound: log-mel frames, or raw frames for the 12B."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from gemma4.errors import MediaError
from gemma4.media.mel import SAMPLE_RATE, log_mel, real_frames, soft_tokens_for_frames
from gemma4.media.sound import MAX_SECONDS, Sound, decode_sound
from gemma4.media.source import Source, resolve_source
from gemma4.media.types import AudioInput, MediaUsage

RAW_FRAME = 640  # samples, 40 ms: one soft token


def prepare_audio(source: Source, *, raw: bool = False) -> AudioInput:
    """Read the first 30 s of a sound, in any container, as 16 kHz mono.

    A silent sound is a sound (the usage says that it is silent); one without samples is an error.

    Args:
        raw: frames of 640 samples as the 12B takes them, instead of log-mel frames.

    Raises:
        MediaError: no sound, damaged, empty, or too short for one log-mel frame.
    """
    resolved = resolve_source(source)
    sound = decode_sound(resolved)
    samples = len(sound.waveform)
    soft_tokens = soft_tokens_for_samples(samples, raw=raw)
    if not soft_tokens:
        raise MediaError(
            f"{resolved.name}: {samples} samples at 16 kHz; at least 161 (10 ms) are needed"
        )
    features, mask = raw_frames(sound.waveform) if raw else log_mel(sound.waveform)
    heading = f"audio {'raw' if raw else 'mel'} {len(features)} ".encode()
    return AudioInput(
        features=features,
        mask=mask,
        soft_tokens=soft_tokens,
        usage=_usage(sound, soft_tokens),
        digest=hashlib.sha256(heading + mask.tobytes() + features.tobytes()).digest(),
    )


def soft_tokens_for_samples(samples: int, *, raw: bool = False) -> int:
    """Soft tokens of a sound of `samples` at 16 kHz (30 s of them count)."""
    counted = min(samples, MAX_SECONDS * SAMPLE_RATE)
    if raw:
        return -(-counted // RAW_FRAME)
    return soft_tokens_for_frames(real_frames(counted))


def raw_frames(waveform: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Frames [n, 640] and mask [n], all True; the last frame is filled up with zeros."""
    filled = np.pad(waveform, (0, -len(waveform) % RAW_FRAME))
    frames = filled.reshape(-1, RAW_FRAME)
    return frames, np.ones(len(frames), dtype=np.bool_)


def _usage(sound: Sound, soft_tokens: int) -> MediaUsage:
    seconds = len(sound.waveform) / SAMPLE_RATE
    declared = sound.declared_seconds
    original = f"{seconds:.1f} s"
    # A container may declare more than it holds: a file cut short, or a wrong header.
    incomplete = not sound.cut and declared is not None and declared > 1.05 * seconds + 0.5
    if sound.cut:
        known = declared is not None and declared > seconds
        original = f"{declared:.1f} s" if known else f"over {seconds:.1f} s"
    elif incomplete:
        original = f"{declared:.1f} s declared"
    silent = not np.any(sound.waveform)
    return MediaUsage(
        kind="audio",
        soft_tokens=soft_tokens,
        original=original,
        used=f"{seconds:.1f} s",
        reduced=sound.cut or incomplete,
        remark="it is silent" if silent else "",
    )
