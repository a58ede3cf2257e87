"""Clips of any container become the frames, times and counts of the reference."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from transformers.video_utils import VideoMetadata, default_sample_indices_fn
from written_media import clip, picture

from gemma4.errors import MediaError
from gemma4.media import frames as frames_module
from gemma4.media import prepare_video, soft_tokens_for_size
from gemma4.media.frames import map_frames, read_timeline
from gemma4.media.patches import picture_input
from gemma4.media.source import resolve_source
from gemma4.media.timeline import choose_frames, format_timestamp

DATA = Path(__file__).parents[1] / "data" / "media"
OPEN_GROUPS = {"x264opts": "open-gop=1:bframes=3"}
UNEVEN = [int(t) for t in np.cumsum(np.random.default_rng(0).integers(10, 400, 60))]
CLIPS = {
    "mp4": clip(),
    "mp4, open groups": clip(codec_options=OPEN_GROUPS),
    "mp4, fragments": clip(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "mp4, uneven": clip(times=UNEVEN),
    "mkv, open groups": clip("matroska", codec_options=OPEN_GROUPS),
    "mkv, uneven": clip("matroska", times=UNEVEN),
    "webm": clip("webm", "libvpx-vp9"),
    "avi": clip("avi", "mpeg4"),
    "mpeg-ts": clip("mpegts", "mpeg2video", codec_options={"bf": "2"}),
    "no container": clip("h264"),
    "gif": clip("gif", "gif", pixel_format="rgb8"),
}


def all_frames(content: bytes | Path) -> list[np.ndarray]:
    with resolve_source(content).open() as stream, av.open(stream) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("total", [1, 2, 31, 32, 33, 63, 64, 125, 1000, 12_345])
def test_frames_are_chosen_as_the_reference_does(total: int) -> None:
    metadata = VideoMetadata(total_num_frames=total, fps=25.0)
    for wanted in (1, 7, 32):
        if wanted <= total:
            expected = default_sample_indices_fn(metadata, num_frames=wanted)
            assert choose_frames(total, wanted) == expected.tolist()
        else:  # the reference refuses a clip of too few frames; here all of them are taken
            assert choose_frames(total, wanted) == list(range(total))


def test_the_clip_gives_the_frames_and_times_of_the_reference() -> None:
    video = prepare_video(DATA / "clip.mp4")
    decoded = all_frames(DATA / "clip.mp4")
    metadata = VideoMetadata(total_num_frames=125, fps=25.0)
    metadata.frames_indices = default_sample_indices_fn(metadata, num_frames=32)
    assert len(video.frames) == 32
    for frame, number in zip(video.frames, metadata.frames_indices, strict=True):
        expected = picture_input(decoded[number], budget=70, merged=False)
        assert frame.digest == expected.digest
        np.testing.assert_array_equal(frame.patches, expected.patches)  # float32, exact
    seconds = metadata.timestamps
    assert list(video.timestamps) == [f"{int(s // 60):02d}:{int(s % 60):02d}" for s in seconds]
    assert video.soft_tokens == video.usage.soft_tokens == 32 * soft_tokens_for_size(384, 216, 70)
    assert video.usage.original == "125 frames, 5.0 s, 384×216 px"
    assert video.usage.used == "32 frames of 528×288 px"
    assert video.usage.reduced


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("wanted", [3, 32])
def test_skipping_what_is_not_needed_changes_no_frame(name: str, wanted: int) -> None:
    content = CLIPS[name]
    source = resolve_source(content)
    timeline = read_timeline(source)
    decoded = all_frames(content)
    assert len(timeline.shown) == len(decoded) == 60
    found = map_frames(source, timeline, wanted, lambda pixels: pixels)
    assert list(found) == choose_frames(60, wanted)
    for number, pixels in found.items():
        np.testing.assert_array_equal(pixels, decoded[number])  # uint8, exact


def test_packets_that_no_chosen_frame_needs_are_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = resolve_source(CLIPS["mp4"])
    timeline = read_timeline(source)
    assert 1 < sum(timeline.packets_for([0, 30])) < 20
    monkeypatch.setattr(frames_module, "_map_in_order", None)  # the way that decodes everything
    assert list(map_frames(source, timeline, 2, lambda pixels: pixels)) == [0, 30]


def test_a_frame_shown_before_its_key_frame_needs_the_packets_before_that() -> None:
    timeline = read_timeline(resolve_source(CLIPS["mkv, open groups"]))
    keys_needed = set()
    for number in range(60):
        needed = timeline.packets_for([number])
        keys_needed.add(sum(needed[key] for key in timeline.keys))
    assert keys_needed == {1, 2}


@pytest.mark.parametrize("name", ["mp4, uneven", "mkv, uneven"])
def test_times_of_a_varying_rate_are_those_of_the_frames(name: str) -> None:
    video = prepare_video(CLIPS[name])
    expected = [(UNEVEN[n] - UNEVEN[0]) / 1000 for n in choose_frames(60, 32)]
    assert list(video.timestamps) == [format_timestamp(seconds) for seconds in expected]
    assert video.timestamps[-1] > "00:09"


def test_frames_before_the_first_key_frame_do_not_count() -> None:
    """A recording that begins in the middle of a broadcast."""
    whole = CLIPS["mpeg-ts"]
    video = prepare_video(whole[len(whole) // 10 // 188 * 188 :])
    assert 40 <= int(video.usage.original.split()[0]) < 60
    assert len(video.frames) == 32
    assert video.timestamps[0] == "00:00"


def test_times_of_a_steady_rate_are_number_by_rate() -> None:
    content = clip(frames=90, rate=15)
    video = prepare_video(content)
    expected = [number / 15 for number in choose_frames(90, 32)]
    assert list(video.timestamps) == [format_timestamp(seconds) for seconds in expected]


def test_timestamps_are_minutes_and_seconds_rounded_down() -> None:
    assert [format_timestamp(s) for s in (0, 59.99, 60, 61.5, 5999, 6000)] == [
        "00:00", "00:59", "01:00", "01:01", "99:59", "100:00",
    ]  # fmt: skip


def test_a_clip_of_few_frames_gives_all_it_has() -> None:
    video = prepare_video(clip(frames=5), num_frames=32)
    assert len(video.frames) == 5
    assert video.usage.used == "5 frames of 480×288 px"
    assert not video.usage.reduced
    assert prepare_video(clip(frames=1)).timestamps == ("00:00",)


def test_budget_and_merging_reach_every_frame() -> None:
    video = prepare_video(CLIPS["mp4"], num_frames=2, budget=140, merged=True)
    assert [frame.patches.shape[1] for frame in video.frames] == [6912, 6912]
    assert video.soft_tokens == 2 * soft_tokens_for_size(96, 64, 140)
    digests = {
        prepare_video(CLIPS["mp4"], num_frames=n, budget=b, merged=m).digest
        for n, b, m in [(2, 140, True), (2, 140, False), (2, 70, False), (3, 70, False)]
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
)
def test_a_turned_clip_is_shown_upright(matrix: tuple[int, int, int, int], turns: int) -> None:
    content = bytearray(clip(frames=2))
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix is 40 bytes in
    a, b, c, d = (value * 0x10000 for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    source = resolve_source(bytes(content))
    upright = map_frames(source, read_timeline(source), 1, lambda pixels: pixels)[0]
    expected = np.rot90(picture(0, 2), turns)
    assert upright.shape == expected.shape
    difference = np.abs(upright.astype(int) - expected)
    assert difference.mean() < 16  # of 255: the codec and its colours lose a little


@pytest.fixture(scope="module")
def index_first(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The clip with its index before its frames, so that it can be read when cut short."""
    path = tmp_path_factory.mktemp("clip") / "index_first.mp4"
    options = {"movflags": "faststart"}
    with av.open(DATA / "clip.mp4") as source, av.open(path, "w", options=options) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    return path.read_bytes()


def test_a_file_cut_short_is_used_as_far_as_it_goes_and_the_usage_says_so(
    index_first: bytes,
) -> None:
    usage = prepare_video(index_first[: len(index_first) * 3 // 4]).usage
    assert usage.original == "125 frames, 5.0 s, 384×216 px"
    assert usage.used.startswith("32 frames of 528×288 px, ")
    assert usage.used.endswith(" frames missing from the file")
    assert usage.reduced


def test_a_video_without_frames_is_refused(index_first: bytes) -> None:
    with pytest.raises(MediaError, match=r"a video of 0 frames; at least one is needed"):
        prepare_video(index_first[: index_first.index(b"mdat") + 4])
    with pytest.raises(MediaError, match=r"holds no video that can be decoded \(it holds: nothing"):
        prepare_video(clip(frames=0))


@pytest.mark.parametrize("num_frames", [0, -1])
def test_at_least_one_frame_must_be_asked_for(num_frames: int) -> None:
    with pytest.raises(MediaError, match=f"a video of {num_frames} frames; at least 1"):
        prepare_video(DATA / "clip.mp4", num_frames=num_frames)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    mp4 = (DATA / "clip.mp4").read_bytes()
    for content, words in [
        (mp4[: len(mp4) // 2], "no sound or video that can be read"),  # its index is at the end
        (mp4.replace(b"avc1", b"zzzz"), r"Decoder not found"),
        (b"no video at all " * 100, "no sound or video that can be read"),
        ((DATA / "speech.ogg").read_bytes(), r"holds no video that can be decoded"),
    ]:
        with pytest.raises(MediaError, match=words) as caught:
            prepare_video(content)
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError, match="budget of 71 soft tokens"):
        prepare_video(tmp_path / "none.mp4", budget=71)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_play_list_opens_no_other_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.ts").write_bytes(CLIPS["mpeg-ts"])
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(text)
    monkeypatch.chdir(tmp_path)
    assert len(prepare_video("other.ts", num_frames=1).frames) == 1
    for source in (playlist, text.encode()):
        with pytest.raises(MediaError, match="no sound or video that can be read"):
            prepare_video(source)
