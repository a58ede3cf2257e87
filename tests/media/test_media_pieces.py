"""A long sound in pieces: nothing is lost, and cuts fall where it is quiet."""

import io

import av
import numpy as np
import pytest
from written_media import sound, wav

from gemma4.errors import MediaError
from gemma4.media.mel import SAMPLE_RATE
from gemma4.media.pieces import Piece, cut_sound
from gemma4.media.sound import decode_sound
from gemma4.media.source import resolve_source


def talk(seconds: float, *quiet: float) -> np.ndarray:
    """A tone with half a second of quiet from each of these seconds on."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = 0.3 * np.sin(2 * np.pi * 300 * times)
    for start in quiet:
        samples[(times >= start) & (times < start + 0.5)] *= 1e-3
    return samples.astype(np.float32)


def cut(samples: np.ndarray) -> list[Piece]:
    return list(cut_sound(wav(samples)))


@pytest.mark.parametrize("seconds", [0.01, 29.99, 30.0])
def test_what_fits_is_one_piece(seconds: float) -> None:
    (piece,) = cut(talk(seconds))
    assert piece.seconds == (0.0, pytest.approx(seconds, abs=1e-4))
    assert not piece.cut_in_sound


def test_pieces_put_together_are_the_sound() -> None:
    samples = talk(95.0, 25.0, 47.0, 70.0)
    pieces = cut(samples)
    starts = np.cumsum([0, *(len(piece.waveform) for piece in pieces)])
    assert [piece.start for piece in pieces] == starts[:-1].tolist()
    whole = np.concatenate([piece.waveform for piece in pieces])
    np.testing.assert_allclose(whole, samples, atol=1 / 32768)  # 16 bits in the file
    assert all(len(piece.waveform) <= 30 * SAMPLE_RATE for piece in pieces)


def test_cuts_fall_into_the_quiet_and_else_say_so() -> None:
    first, second, third = cut(talk(75.0, 25.0, 48.0))
    assert 25.0 < first.seconds[1] < 25.5
    assert 48.0 < second.seconds[1] < 48.5
    assert [one.cut_in_sound for one in (first, second, third)] == [False] * 3
    loud, rest = cut(talk(31.0))
    assert loud.cut_in_sound
    assert not rest.cut_in_sound
    assert len(rest.waveform) > 0.1 * SAMPLE_RATE  # never too short to be heard


def test_a_piece_comes_back_from_its_file_bit_by_bit() -> None:
    piece = cut(talk(31.0))[0]
    again = decode_sound(resolve_source(piece.wav()))
    assert np.array_equal(again.waveform, piece.waveform)
    with av.open(io.BytesIO(piece.wav())) as container:
        assert container.streams.audio[0].codec_context.name == "pcm_f32le"


def test_silence_is_known() -> None:
    (silent,) = cut(np.zeros(SAMPLE_RATE, dtype=np.float32))
    assert silent.is_silent
    assert not cut(talk(1.0))[0].is_silent


def test_a_second_piece_is_decoded_when_it_is_wanted() -> None:
    pieces = cut_sound(sound(talk(120.0), "flac", "flac", SAMPLE_RATE))
    assert next(pieces).start == 0
    assert next(pieces).start > 0
    pieces.close()


@pytest.mark.parametrize(("data", "words"), [(b"", "0 bytes"), (b"noise", "no sound or video")])
def test_what_is_no_sound_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        list(cut_sound(data))
