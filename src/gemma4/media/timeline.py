"""Which frames of a clip to look at, and when they are shown.

Packets are numbered in file order; frames in display order, as the reference numbers them. A
frame leans only on packets before its own, from the last key frame on.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

_FALLBACK_RATE = 24.0  # frames a second where a container says nothing; the reference's choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a clip's packets say about its frames, before any is decoded.

    Attributes:
        shown: the packet of each frame.
        times: the presentation time of each packet, in ticks, None where the file gives none.
        keys: the packets of key frames, ascending: decoding can begin at them.
        tick: seconds a tick.
        rate: frames a second, on average.
        missing: frames that the container's header counts and the file does not hold.
    """

    shown: tuple[int, ...]
    times: tuple[int | None, ...]
    keys: tuple[int, ...]
    tick: Fraction
    rate: float
    missing: int

    @property
    def timed(self) -> bool:
        """True if every frame has a presentation time of its own, by which it can be found."""
        times = [self.times[packet] for packet in self.shown]
        return None not in times and len(set(times)) == len(times)

    def time_of(self, frame: int) -> int | None:
        """Presentation time of a frame, in ticks."""
        return self.times[self.shown[frame]]

    def packets_for(self, frames: Iterable[int]) -> list[bool]:
        """For each packet, whether it must be decoded to see `frames`; needs `timed`."""
        needed = [False] * len(self.times)
        for frame in frames:
            packet = self.shown[frame]
            key = bisect.bisect_right(self.keys, packet) - 1
            time, key_time = self.times[packet], self.times[self.keys[key]]
            if key > 0 and time is not None and key_time is not None and time < key_time:
                key -= 1  # shown before its key frame: leans on what came before that, too
            start = self.keys[key]
            needed[start : packet + 1] = [True] * (packet + 1 - start)
        return needed

    def seconds(self, frames: Iterable[int]) -> list[float]:
        """When `frames` are shown, from the first frame on.

        As in the reference, number ÷ rate; where the rate varies and that is wrong by more than a
        frame anywhere, the presentation times.
        """
        by_rate = {frame: frame / self.rate for frame in frames}
        if not self.timed:
            return list(by_rate.values())
        by_time = {frame: self._since_first(frame) for frame in by_rate}
        steady = all(abs(by_time[f] - by_rate[f]) <= 1 / self.rate for f in by_rate)
        return list((by_rate if steady else by_time).values())

    def _since_first(self, frame: int) -> float:
        first, this = self.time_of(0), self.time_of(frame)
        return 0.0 if first is None or this is None else float((this - first) * self.tick)


def scan_timeline(container: InputContainer, stream: VideoStream) -> Timeline:
    """Read a clip's packets without decoding them."""
    times: list[int | None] = []
    keys: list[int] = []
    shown: list[int] = []
    empty = 0
    for packet in container.demux(stream):
        if not packet.size:
            empty += packet.dts is not None  # a frame repeated; without a time, the end
            continue
        if packet.is_keyframe:
            keys.append(len(times))
        if not packet.is_discard:
            shown.append(len(times))
        times.append(packet.pts)
    keys = keys or [0]  # some encoders refresh the picture bit by bit and mark none
    shown = [packet for packet in shown if packet >= keys[0]]  # before, nothing can be decoded
    if all(times[packet] is not None for packet in shown):
        shown.sort(key=lambda packet: times[packet] or 0)
    rate = stream.average_rate or stream.guessed_rate
    return Timeline(
        shown=tuple(shown),
        times=tuple(times),
        keys=tuple(keys),
        tick=stream.time_base or Fraction(1, 1000),
        rate=float(rate) if rate else _FALLBACK_RATE,
        missing=max(0, stream.frames - len(times) - empty),
    )


def choose_frames(total: int, wanted: int) -> list[int]:
    """Frame numbers spread evenly over `total`, from the first on; all of them if there are few."""
    count = min(total, wanted)
    return [number * total // count for number in range(count)]


def format_timestamp(seconds: float) -> str:
    """`mm:ss`, rounded down; minutes go on past 99."""
    return f"{int(seconds // 60):02d}:{int(seconds % 60):02d}"
