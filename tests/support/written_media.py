"""Small sounds and clips written on the spot, of any container and codec."""

import io
import wave
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    """A 16-bit WAV of float samples [n] or [n, channels] in [-1, 1]."""
    buffer = io.BytesIO()
    levels = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(levels.tobytes())
    return buffer.getvalue()


def sound(samples: np.ndarray, container: str, codec: str, rate: int) -> bytes:
    """Float samples [n] or [n, channels], encoded."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(wav(samples, rate))) as source, av.open(buffer, "w", container) as out:
        layout = "mono" if samples.ndim == 1 else "stereo"
        stream = out.add_stream(codec, rate=rate, layout=layout)
        for frame in source.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def picture(number: int, total: int) -> np.ndarray:
    """Frame `number`: red grows with time, a green bar moves, the upper left quarter is blue."""
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    pixels[..., 0] = number * 255 // total
    pixels[:, number * 3 % 96 : number * 3 % 96 + 9, 1] = 200
    pixels[:32, :48, 2] = 255
    return pixels


def clip(
    container: str = "mp4",
    codec: str = "libx264",
    *,
    frames: int = 60,
    group: int = 12,
    rate: int = 25,
    times: Sequence[int] | None = None,
    pixel_format: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """A clip of `picture`s of 96×64 px; `times` in milliseconds make its rate vary."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", container, options=container_options or {}) as out:
        stream: Any = out.add_stream(codec, rate=rate, options=codec_options or {})
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        stream.codec_context.gop_size = group
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        out.start_encoding()  # so that a clip of no frames has a header too
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, frames), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()
