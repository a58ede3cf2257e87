"""Log-mel frames of a sound, and how many soft tokens they make.

Letters: W samples at 16 kHz, T frames. A frame is 20 ms long and begins 10 ms after the last; the
first is centred on the first sample. Arithmetic and precision are those of the reference feature
extractor (float32 until the mel product, float64 after it).
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
MEL_BINS = 128

_WINDOW = 320
_HOP = 160
_FFT = 512
_HIGHEST_HERTZ = 8_000.0
_FLOOR = 1e-3
_PADDED_TO = 128  # samples; only the number of masked frames at the end depends on it


def log_mel(waveform: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features [T, 128] and mask [T] of `waveform` [W], float32 in [-1, 1].

    A frame is real if all its samples, and one more, are; the others are zero and masked.
    """
    length = len(waveform)
    padded = np.zeros(_HOP + length + -length % _PADDED_TO, dtype=np.float32)
    padded[_HOP : _HOP + length] = waveform
    count = max(0, (len(padded) - (_WINDOW + 1)) // _HOP + 1)
    if count == 0:
        return np.zeros((0, MEL_BINS), dtype=np.float32), np.zeros(0, dtype=np.bool_)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    magnitude = np.abs(np.fft.rfft(frames * _hann_window(), n=_FFT, axis=-1))
    features = np.log(magnitude @ mel_filters() + _FLOOR).astype(np.float32)
    mask = np.arange(count) < real_frames(length)
    features[~mask] = 0.0
    return features, mask


def real_frames(samples: int) -> int:
    """Frames of which every sample is real, in a sound of `samples`."""
    return max(0, (samples - 1) // _HOP)


def soft_tokens_for_frames(frames: int) -> int:
    """Soft tokens of `frames` real frames: two convolutions of stride 2."""
    halved = (frames + 1) // 2
    return (halved + 1) // 2


def mel_filters() -> NDArray[np.float64]:
    """Triangles [257, 128] on the HTK mel scale from 0 to 8000 Hz, of height 1, not area 1."""
    highest = 2595.0 * np.log10(1.0 + _HIGHEST_HERTZ / 700.0)
    corners = 700.0 * (np.power(10.0, np.linspace(0.0, highest, MEL_BINS + 2) / 2595.0) - 1.0)
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, _FFT // 2 + 1)[:, np.newaxis]
    rising = (hertz - lower) / (centre - lower)
    falling = (upper - hertz) / (upper - centre)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return filters


def _hann_window() -> NDArray[np.float32]:
    # Periodic: one value more, and the last dropped.
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
