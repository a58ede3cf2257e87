"""Sounds of any container become 16 kHz mono; what is lost or odd is said; the rest is refused."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor
from written_media import clip, sound, wav

from gemma4.errors import MediaError
from gemma4.media import prepare_audio
from gemma4.media import sound as sound_module
from gemma4.media.sound import decode_sound
from gemma4.media.source import resolve_source

DATA = Path(__file__).parents[1] / "data" / "media"


def tone(seconds: float, rate: int = 16_000, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def waveform(source: bytes | Path) -> np.ndarray:
    return decode_sound(resolve_source(source)).waveform


def float_wav(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", "wav") as out:
        stream = out.add_stream("pcm_f32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def test_the_recording_equals_the_reference_from_its_samples_on() -> None:
    ours = prepare_audio(DATA / "speech.ogg")
    samples = waveform(DATA / "speech.ogg")
    reference = Gemma4AudioFeatureExtractor()([samples])
    expected = np.asarray(reference["input_features"][0])
    np.testing.assert_allclose(ours.features, expected, rtol=0, atol=1e-6)  # float32
    np.testing.assert_array_equal(ours.mask, np.asarray(reference["input_features_mask"][0]))
    assert ours.soft_tokens == 200
    assert (ours.usage.original, ours.usage.used, ours.usage.reduced) == ("8.0 s", "8.0 s", False)
    assert 0.05 < np.abs(samples).max() <= 1.0
    raw = prepare_audio(DATA / "speech.ogg", raw=True)
    assert raw.features.shape == (200, 640)
    np.testing.assert_array_equal(raw.features.reshape(-1), samples)  # exact
    assert raw.digest != ours.digest


def test_sixteen_kilohertz_samples_pass_unchanged() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 5000)
    levels = np.round(samples * 32767)
    np.testing.assert_array_equal(waveform(wav(samples)), (levels / 32768).astype(np.float32))


def test_channels_are_averaged_and_not_made_louder() -> None:
    left, right = tone(0.5), 0.3 * tone(0.5, hertz=1000)
    for channels in (np.stack([left, left], -1), np.stack([left, right, -left, right], -1)):
        expected = channels.mean(axis=1)
        got = waveform(wav(channels))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)  # of 16-bit rounding


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled(rate: int) -> None:
    got = waveform(wav(tone(1.0, rate), rate))
    assert abs(len(got) - 16_000) <= 32
    inner = slice(500, 15_500)
    np.testing.assert_allclose(got[inner], tone(1.0)[inner], rtol=0, atol=2e-3)  # float32


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("mp3", "libmp3lame", 44_100),
        ("flac", "flac", 44_100),
        ("adts", "aac", 44_100),
        ("ogg", "libopus", 48_000),
        ("matroska", "flac", 22_050),
        ("mp4", "aac", 48_000),
        ("aiff", "pcm_s16be", 44_100),
    ],
)
def test_any_container_is_read(container: str, codec: str, rate: int) -> None:
    audio = prepare_audio(sound(tone(2.0, rate), container, codec, rate))
    assert abs(audio.soft_tokens - 50) <= 2  # codecs pad a little
    loudest = audio.features[audio.mask][20:-20].mean(axis=0).argmax()
    expected, _ = reference_features(tone(2.0))
    assert loudest == expected[20:-20].mean(axis=0).argmax()


def reference_features(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reference = Gemma4AudioFeatureExtractor()([samples.astype(np.float32)])
    return np.asarray(reference["input_features"][0]), reference["input_features_mask"][0]


def test_the_sound_of_a_video_is_read() -> None:
    assert prepare_audio(DATA / "clip.mp4").usage.used == "5.0 s"


def test_a_rate_and_channels_that_change_midway_are_followed() -> None:
    mono, stereo = tone(1.0, 22_050), np.stack([tone(1.0, 44_100)] * 2, axis=-1)
    parts = [sound(mono, "adts", "aac", 22_050), sound(stereo, "adts", "aac", 44_100)]
    got = waveform(b"".join(parts))
    assert abs(len(got) - 32_000) < 4000  # encoders pad each part
    for start in (4000, 20_000):
        part = got[start : start + 8000]
        assert abs(np.diff(np.signbit(part)).sum() - 440) < 5  # half a second of 440 Hz
        np.testing.assert_allclose(np.abs(part).max(), 0.5, rtol=0, atol=0.05)  # AAC loses a little


def test_many_channels_are_averaged() -> None:
    channels = np.stack([tone(0.2)] * 5 + [0 * tone(0.2)] * 5, axis=-1)
    np.testing.assert_allclose(waveform(wav(channels)), tone(0.2) / 2, rtol=0, atol=1e-4)


def test_a_long_sound_is_cut_and_the_usage_says_so() -> None:
    samples = tone(44.1)
    audio = prepare_audio(wav(samples))
    assert (audio.usage.original, audio.usage.used) == ("44.1 s", "30.0 s")
    assert audio.usage.reduced
    assert audio.soft_tokens == 750
    assert prepare_audio(wav(samples), raw=True).soft_tokens == 750
    exact = prepare_audio(wav(samples[:480_000]))
    assert exact.digest == audio.digest
    assert (exact.usage.original, exact.usage.reduced) == ("30.0 s", False)


def test_an_endless_sound_is_read_no_further_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding, and with it memory, stops soon after 30 s of a sound of two minutes."""
    endless = sound(tone(120.0), "flac", "flac", 16_000)
    decoded = []

    def counted(frame: av.AudioFrame) -> np.ndarray:
        decoded.append(frame.samples)
        return frame.to_ndarray()[0]

    monkeypatch.setattr(sound_module, "_average_channels", counted)
    assert prepare_audio(endless).usage.original == "120.0 s"
    assert 480_000 < sum(decoded) < 500_000


def test_a_sound_of_unknown_length_is_said_to_be_over_thirty_seconds() -> None:
    content = bytearray(wav(tone(31.0)))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # what a program writes into a pipe
    usage = prepare_audio(bytes(content)).usage
    assert usage.original in ("31.0 s", "over 30.0 s")
    assert (usage.used, usage.reduced) == ("30.0 s", True)


def test_silence_is_a_sound_and_the_usage_says_so() -> None:
    audio = prepare_audio(wav(np.zeros(16_000)))
    assert (audio.soft_tokens, audio.usage.used) == (25, "1.0 s")
    assert audio.usage.remark == "it is silent"
    assert not audio.usage.reduced


def test_a_sound_shorter_than_its_file_declares_is_said_to_be() -> None:
    content = bytearray((DATA / "speech.ogg").read_bytes())
    content[len(content) // 2] ^= 255  # libav passes over a page whose checksum is wrong
    usage = prepare_audio(bytes(content)).usage
    assert (usage.original, usage.used) == ("8.0 s declared", "7.0 s")
    assert usage.reduced


def test_a_damaged_sound_is_refused() -> None:
    content = sound(tone(2.0), "flac", "flac", 16_000)
    with pytest.raises(MediaError, match=r"damaged flac data \(Invalid data found.*copy it again"):
        prepare_audio(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (wav(np.zeros(0)), r"0 s of sound; at least one sample is needed"),
        (wav(tone(0.005)), r"80 samples at 16 kHz; at least 161 \(10 ms\) are needed"),
        (wav(tone(1.0), rate=500), "500 samples a second, the limits are 1000 and 768000"),
        (clip(frames=3), r"holds no sound that can be decoded \(it holds: video\)"),
        (b"This is a text, not a sound. " * 50, "no sound or video that can be read"),
        (bytes(5000), "no sound or video that can be read"),
        (float_wav(np.full(1000, 30_000.0)), "samples up to 30000, the scale is -1 to 1"),
        (float_wav(np.full(1000, np.nan)), "samples up to nan, the scale is -1 to 1"),
    ],
)
def test_what_is_no_usable_sound_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        prepare_audio(content)
    assert "\n" not in str(caught.value)


def test_one_sample_is_enough_for_raw_frames() -> None:
    assert prepare_audio(wav(np.ones(1)), raw=True).soft_tokens == 1


def test_a_little_overshoot_is_clipped() -> None:
    samples = np.linspace(-1.2, 1.2, 1000)
    np.testing.assert_array_equal(
        waveform(float_wav(samples)), np.clip(samples.astype(np.float32), -1, 1)
    )  # float32, exact


def test_a_picture_is_no_sound() -> None:
    with pytest.raises(MediaError, match=r"photo.jpg holds no sound that can be decoded"):
        prepare_audio(DATA / "photo.jpg")
