"""Log-mel frames and token counts equal the reference feature extractors."""

import numpy as np
import pytest
from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor
from transformers.models.gemma4_unified.feature_extraction_gemma4_unified import (
    Gemma4UnifiedAudioFeatureExtractor,
)

from gemma4.media import soft_tokens_for_samples
from gemma4.media.audio import raw_frames
from gemma4.media.mel import log_mel, mel_filters, real_frames

LENGTHS = [
    1, 2, 100, 127, 128, 129, 159, 160, 161, 162, 256, 320, 321, 322, 480, 481, 640, 641, 1280,
    1600, 2048, 12_800, 16_000, 16_001, 20_480, 99_999, 128_000, 479_999, 480_000,
]  # fmt: skip


def noise(length: int, loudness: float = 1.0) -> np.ndarray:
    values = np.random.default_rng(length).uniform(-loudness, loudness, length)
    return values.astype(np.float32)


def subsampled(mask: np.ndarray) -> int:
    """The reference's way to count tokens: each convolution keeps every second mask entry."""
    return int(mask[::2][::2].sum())


@pytest.mark.parametrize("length", LENGTHS)
def test_log_mel_and_mask_equal_the_reference(length: int) -> None:
    extractor = Gemma4AudioFeatureExtractor()
    for loudness in (1.0, 0.01, 0.0):
        waveform = noise(length, loudness)
        features, mask = log_mel(waveform)
        reference = extractor([waveform])
        expected = np.asarray(reference["input_features"][0])
        assert features.dtype == np.float32
        assert features.shape == expected.shape
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)  # float32
        np.testing.assert_array_equal(mask, np.asarray(reference["input_features_mask"][0]))
        assert real_frames(length) == mask.sum()
        assert soft_tokens_for_samples(length) == subsampled(mask)


def test_a_tone_lights_the_filter_of_its_pitch() -> None:
    waveform = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    features, mask = log_mel(waveform)
    loudest = features[mask].mean(axis=0).argmax()
    centres = mel_filters().argmax(axis=0) * 31.25  # Hz a bin
    assert abs(centres[loudest] - 1000) < 40


def test_more_than_thirty_seconds_count_as_thirty() -> None:
    extractor = Gemma4AudioFeatureExtractor()
    waveform = noise(500_000)
    features, _ = log_mel(waveform[:480_000])
    reference = extractor([waveform])
    expected = np.asarray(reference["input_features"][0])
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)  # float32
    for raw in (False, True):
        assert soft_tokens_for_samples(500_000, raw=raw) == 750


@pytest.mark.parametrize("length", [1, 639, 640, 641, 16_000, 16_001, 480_000])
def test_raw_frames_equal_the_reference(length: int) -> None:
    waveform = noise(length)
    features, mask = raw_frames(waveform)
    reference = Gemma4UnifiedAudioFeatureExtractor()([waveform])
    np.testing.assert_array_equal(features, np.asarray(reference["input_features"][0]))  # exact
    assert mask.tolist() == [True] * len(features)
    assert soft_tokens_for_samples(length, raw=True) == len(features) == -(-length // 640)


def test_no_sample_makes_no_token() -> None:
    assert soft_tokens_for_samples(0) == 0
    assert soft_tokens_for_samples(0, raw=True) == 0
    assert soft_tokens_for_samples(160) == 0
    assert soft_tokens_for_samples(161) == 1
