"""Decode chosen frames of a clip, upright, without holding the others.

Only the packets that lead to a chosen frame are decoded, so a long film takes little longer than a
short one. Where a file has no usable times, or a frame does not come out, everything is
decoded and counted, as the reference does.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gemma4.errors import MediaError
from gemma4.media.container import open_container, stream_kinds
from gemma4.media.image import MAX_PIXELS
from gemma4.media.source import MediaSource
from gemma4.media.timeline import Timeline, choose_frames, scan_timeline

Result = TypeVar("Result")


def read_timeline(source: MediaSource) -> Timeline:
    """Read the packets of a clip's first video stream.

    Raises:
        MediaError: no video, no frame, or damaged.
    """
    with open_container(source) as container:
        timeline = scan_timeline(container, _video_stream(source, container))
    if not timeline.shown:
        raise MediaError(f"{source.name}: a video of 0 frames; at least one is needed")
    return timeline


def map_frames(
    source: MediaSource,
    timeline: Timeline,
    wanted: int,
    prepare: Callable[[NDArray[np.uint8]], Result],
) -> dict[int, Result]:
    """Decode `wanted` frames, evenly spread, and keep only what `prepare` makes of each.

    Args:
        prepare: from pixels uint8 [height, width, 3].

    Returns:
        Results by frame number, ascending.

    Raises:
        MediaError: damaged, or not one frame comes out.
    """
    total = len(timeline.shown)
    chosen = choose_frames(total, wanted)
    if timeline.timed:
        numbers = {timeline.time_of(frame): frame for frame in chosen}
        found = {
            numbers[frame.pts]: prepare(_upright_pixels(source, frame))
            for frame in _decode_needed(source, timeline, chosen)
            if frame.pts in numbers and not frame.is_corrupt
        }
        if len(found) == len(chosen):
            return dict(sorted(found.items()))
    return _map_in_order(source, total, wanted, prepare)


def _map_in_order(
    source: MediaSource,
    total: int,
    wanted: int,
    prepare: Callable[[NDArray[np.uint8]], Result],
) -> dict[int, Result]:
    chosen = set(choose_frames(total, wanted))
    found = {}
    count = 0
    with open_container(source) as container:
        for frame in container.decode(_video_stream(source, container)):
            if frame.is_corrupt:
                continue
            if count in chosen:
                found[count] = prepare(_upright_pixels(source, frame))
            count += 1
    if not count:
        raise MediaError(f"{source.name}: none of its {total} frames can be decoded; convert it")
    # Fewer came out than there are packets: spread anew over what is really there.
    return found if len(found) == len(chosen) else _map_in_order(source, count, wanted, prepare)


def _decode_needed(
    source: MediaSource, timeline: Timeline, chosen: list[int]
) -> Iterator[VideoFrame]:
    """Decode the packets that the chosen frames need, and skip the others."""
    with open_container(source) as container:
        stream = _video_stream(source, container)
        packets = (packet for packet in container.demux(stream) if packet.size)
        decoding = False
        for packet, needed in zip(packets, timeline.packets_for(chosen), strict=False):
            if needed:
                yield from stream.decode(packet)
            elif decoding:  # a gap begins: take what the decoder still holds back
                yield from stream.decode(None)
                stream.codec_context.flush_buffers()
            decoding = needed
        if decoding:
            yield from stream.decode(None)


def _video_stream(source: MediaSource, container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # a cover is no film
            stream.thread_type = "AUTO"
            return stream
    raise MediaError(
        f"{source.name} holds no video that can be decoded (it holds: {stream_kinds(container)}); "
        "give a file with a video stream"
    )


def _upright_pixels(source: MediaSource, frame: VideoFrame) -> NDArray[np.uint8]:
    if frame.width * frame.height > MAX_PIXELS:
        raise MediaError(
            f"{source.name}: frames of {frame.width}×{frame.height} px, the limit is "
            f"{MAX_PIXELS} pixels; scale it down first"
        )
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, k=round(frame.rotation / 90)))
