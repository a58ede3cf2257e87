"""Projectors give llama.cpp the soft tokens they give us (goldens; see tests/data/agreement)."""

import numpy as np
import pytest
from peer_media import (
    HEARING,
    SEEING,
    load_with_projector,
    prepared_picture,
    prepared_speech,
    relative_distance,
    soft_tokens,
    with_llama_cpps_floor,
)
from peer_scores import DATA
from tiny_gguf import write_gguf, write_mmproj

# Distances are relative root mean squares, float32 on both sides, goldens rounded to float16 (2e-4).
# The unified model's embedders are a matrix product; towers have llama.cpp's half-precision GELU or
# SiLU and convolutions in them as well.
ROUNDING = 1e-3


@pytest.fixture(scope="module")
def goldens():
    """Soft tokens [n, D] by kind and medium."""
    with np.load(DATA / "media.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Our model of each kind's GGUF file and projector."""

    def load(kind: str):
        directory = tmp_path_factory.mktemp(kind)
        write_gguf(kind, directory / "model.gguf")
        write_mmproj(kind, directory / "mmproj.gguf")
        return load_with_projector(directory)

    return {kind: load(kind) for kind in SEEING}


@pytest.mark.parametrize("kind", SEEING)
def test_soft_tokens_of_a_photograph_are_those_of_llama_cpp(goldens, models, kind):
    # llama.cpp was told the activation here: a projector from its converter does not say it, and then
    # its vision tower computes a cheaper GELU, 0.6 to 0.7 % away from the reference and from us.
    ours = soft_tokens(models[kind], prepared_picture(kind))
    assert ours.shape == (70, 64)
    assert relative_distance(ours, goldens[f"{kind}_picture"]) < ROUNDING


@pytest.mark.parametrize("kind", HEARING)
def test_soft_tokens_of_speech_are_those_of_llama_cpp(goldens, models, kind):
    sound = prepared_speech(kind)
    if kind != "unified":  # which takes samples, not log-mel frames
        plain = relative_distance(soft_tokens(models[kind], sound), goldens[f"{kind}_sound"])
        assert 3e-3 < plain < 8e-3  # found: 4.9e-3, all of it from the floor
        sound = with_llama_cpps_floor(sound)
    ours = soft_tokens(models[kind], sound)
    assert ours.shape == (50, 64)
    assert relative_distance(ours, goldens[f"{kind}_sound"]) < ROUNDING
