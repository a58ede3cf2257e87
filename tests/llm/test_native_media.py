"""What `load` makes of media on native kernels, beside the modules that `--kernels off` leaves.

Errors are root mean squares relative to the modules in float32, over the same weights.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from seeing_models import merged_directory, seeing_directory
from tiny_chat import tiny_chat_directory
from tiny_media import random_audio, random_image, random_video

from gemma4.engine.encode import encode_media
from gemma4.llm.llm import LLM
from gemma4.llm.load import load
from gemma4.media.types import Medium
from gemma4.model.audio import AudioTower
from gemma4.model.native.audio import NativeAudioTower
from gemma4.model.native.towers import NativeProjector, NativeVisionEmbedder
from gemma4.model.native.vision import NativeVisionTower
from gemma4.model.vision import VisionTower

E_SERIES = {
    "image": (random_image("e_series", columns=3, rows=2),),
    "images": tuple(random_image("e_series", columns=n, rows=2, seed=n) for n in (1, 2, 5)),
    "video": (random_video("e_series", frames=3, columns=2, rows=2),),
    "audio": (random_audio("e_series", frames=121),),
    "padded": (random_audio("e_series", frames=90, padding=37),),
    "all": (random_audio("e_series", frames=9), random_image("e_series", columns=2, rows=2)),
}
MERGED = {
    "image": (random_image("unified", columns=5, rows=3),),
    "audio": (random_audio("unified", frames=20),),
}


@cache
def loaded(directory: Path, kernels: str = "auto", dtype: str = "auto") -> LLM:
    return load(directory, kernels=kernels, dtype=dtype, context=256, drafter=None)


def soft_tokens(llm: LLM, media: tuple[Medium, ...]) -> torch.Tensor:
    found = encode_media(llm.model, media)
    assert found is not None
    assert len(found) == sum(medium.soft_tokens for medium in media)
    return found


def off(found: torch.Tensor, exact: torch.Tensor) -> float:
    assert found.shape == exact.shape
    return float((found.double() - exact.double()).norm() / exact.double().norm())


@pytest.mark.parametrize("name", E_SERIES)
def test_bfloat16_weights_round_as_torch_in_bfloat16_does(name: str) -> None:
    """No further from float32 than the modules in bfloat16, 10 % to spare."""
    directory, media = seeing_directory(), E_SERIES[name]
    exact = soft_tokens(loaded(directory, "off", "float32"), media)
    rounded = soft_tokens(loaded(directory, "off", "bfloat16"), media)
    found = soft_tokens(loaded(directory), media)
    assert found.dtype is torch.float32
    assert 0 < off(found, exact) < 1.1 * off(rounded, exact) < 0.05


@pytest.mark.parametrize(("name", "bound"), [("audio", 1e-5), ("padded", 1e-5), ("image", 2**-7)])
def test_float32_weights_are_multiplied_in_float32(name: str, bound: float) -> None:
    """Of images attention alone rounds: to bfloat16, 2^-9 each of query, key, weight and value."""
    directory = seeing_directory(dtype="float32")
    exact = soft_tokens(loaded(directory, "off", "float32"), E_SERIES[name])
    assert off(soft_tokens(loaded(directory), E_SERIES[name]), exact) < bound


@pytest.mark.parametrize("name", MERGED)
def test_merged_patches_and_raw_sound_too(name: str) -> None:
    """12B: projections alone, bfloat16 weights."""
    directory, media = merged_directory(), MERGED[name]
    exact = soft_tokens(loaded(directory, "off", "float32"), media)
    rounded = soft_tokens(loaded(directory, "off", "bfloat16"), media)
    found = soft_tokens(loaded(directory), media)
    assert 0 < off(found, exact) < 1.1 * off(rounded, exact) < 0.02


def test_neighbours_change_nothing() -> None:
    """Each image of several has the bits that it has alone."""
    llm, images = loaded(seeing_directory()), E_SERIES["images"]
    alone = [soft_tokens(llm, (image,)) for image in images]
    assert torch.equal(soft_tokens(llm, images), torch.cat(alone))


def test_a_medium_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    llm, media = loaded(seeing_directory()), E_SERIES["all"]
    first = encode_media(llm.model, media, llm.soft_tokens)

    def fail(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(NativeVisionTower, "forward", fail)
    monkeypatch.setattr(NativeAudioTower, "forward", fail)
    assert first is not None
    again = encode_media(llm.model, media, llm.soft_tokens)
    assert again is not None
    assert torch.equal(first, again)


def test_the_kernels_take_the_towers() -> None:
    body = loaded(seeing_directory()).model.model
    assert isinstance(body.vision_tower, NativeVisionTower)
    assert isinstance(body.audio_tower, NativeAudioTower)
    assert isinstance(body.embed_vision, NativeProjector)
    assert isinstance(loaded(merged_directory()).model.model.vision_embedder, NativeVisionEmbedder)
    assert not [note for note in loaded(seeing_directory()).info.notes if "torch" in note]


@pytest.mark.parametrize(("kernels", "dtype"), [("off", "auto"), ("auto", "float32")])
def test_torch_asked_for_is_torch(kernels: str, dtype: str) -> None:
    body = loaded(seeing_directory(), kernels, dtype).model.model
    assert isinstance(body.vision_tower, VisionTower)
    assert isinstance(body.audio_tower, AudioTower)


def test_towers_that_the_kernels_cannot_take_are_named() -> None:
    """And computed with torch in float32, as ever."""
    llm = loaded(tiny_chat_directory())
    assert isinstance(llm.model.model.vision_tower, VisionTower)
    assert [note for note in llm.info.notes if "computed with torch" in note] == [
        "images are computed with torch, which is slower: vision hidden_size=24 is no multiple of 16",
        "sound is computed with torch, which is slower: audio output_size=24 is no multiple of 16",
    ]
    exact = soft_tokens(loaded(tiny_chat_directory(), "off", "float32"), E_SERIES["all"])
    assert torch.equal(soft_tokens(llm, E_SERIES["all"]), exact)
