"""Prepare a clip: frames spread evenly over it, each a small picture with its time."""

import functools
import hashlib

from gemma4.errors import MediaError
from gemma4.media.frames import map_frames, read_timeline
from gemma4.media.patches import check_budget, picture_input
from gemma4.media.source import Source, resolve_source
from gemma4.media.timeline import Timeline, format_timestamp
from gemma4.media.types import ImageInput, MediaUsage, VideoInput


def prepare_video(
    source: Source, *, num_frames: int = 32, budget: int = 70, merged: bool = False
) -> VideoInput:
    """Read a clip, in any container, and prepare frames spread evenly over it.

    Its sound is not read. A clip of fewer frames than `num_frames` gives all it has.

    Args:
        num_frames: most frames to take.
        budget: most soft tokens a frame: 70, 140, 280, 560 or 1120.
        merged: 48×48 patches as the 12B takes them.

    Raises:
        MediaError: no video, no frame, damaged, or a setting out of range.
    """
    if num_frames < 1:
        raise MediaError(f"a video of {num_frames} frames; at least 1 must be taken")
    check_budget(budget)
    resolved = resolve_source(source)
    timeline = read_timeline(resolved)
    prepare = functools.partial(picture_input, budget=budget, merged=merged)
    prepared = map_frames(resolved, timeline, num_frames, prepare)
    frames = tuple(prepared.values())
    timestamps = tuple(map(format_timestamp, timeline.seconds(prepared)))
    contents = b"video " + " ".join(timestamps).encode()
    for frame in frames:
        contents += frame.digest
    return VideoInput(
        frames=frames,
        timestamps=timestamps,
        usage=_usage(timeline, frames),
        digest=hashlib.sha256(contents).digest(),
    )


def _usage(timeline: Timeline, frames: tuple[ImageInput, ...]) -> MediaUsage:
    missing = timeline.missing
    total = len(timeline.shown) + missing
    rate = timeline.rate
    length = total / rate if missing else timeline.seconds([total - 1])[0] + 1 / rate
    sizes = dict.fromkeys(frame.usage.used for frame in frames)
    return MediaUsage(
        kind="video",
        soft_tokens=sum(frame.soft_tokens for frame in frames),
        original=f"{_frames(total)}, {length:.1f} s, {frames[0].usage.original}",
        used=f"{_frames(len(frames))} of {' and '.join(sizes)}"
        + (f", {_frames(missing)} missing from the file" if missing else ""),
        reduced=len(frames) < total or any(frame.usage.reduced for frame in frames),
    )


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
