"""Probes: what both sides are asked, and that it would show who does not look."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_loaded import checkpoint_directory
from written_media import clip, wav

from gemma4.config import ModelConfig
from gemma4.errors import InputError, MediaError
from gemma4.media.types import AudioInput, ImageInput, VideoInput
from gemma4.verify.generated_media import make_audio, make_image, make_video
from gemma4.verify.probe import LAST_ROWS, SPREAD_ROWS, Probe, contrast
from gemma4.verify.probes import PASSAGE, ProbeInput, build_probes, choose_words
from gemma4.weights.open_checkpoint import open_checkpoint


def config_of(kind: str) -> ModelConfig:
    config = open_checkpoint(checkpoint_directory(kind)).config
    assert isinstance(config, ModelConfig)
    return config


def probes_of(kind: str, **wanted) -> dict[str, Probe]:
    config = config_of(kind)
    probes = build_probes((config, config), config.modalities, None, ProbeInput(**wanted))
    return {probe.name: probe for probe in probes}


class Letters:
    """A tokenizer of letters, as far as probes need one."""

    def encode(self, text: str) -> list[int]:
        return [3 + ord(letter) % 100 for letter in text]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("gemma3_text", ["text", "text past the window"]),
        ("moe", ["text", "text past the window", "image", "several images", "video"]),
        (
            "unified",
            [
                "text", "text past the window", "image", "several images", "video", "audio",
                "image and audio",
            ],
        ),
    ],
)  # fmt: skip
def test_every_modality_has_its_probes(kind: str, names: list[str]) -> None:
    assert list(probes_of(kind)) == names
    assert "text past the window" not in probes_of(kind, quick=True)
    assert [*probes_of(kind, only=("text",))] == names[:2]


@pytest.mark.parametrize("kind", ["e_series", "unified"])
def test_placeholders_are_as_many_as_soft_tokens_and_the_same_each_time(kind: str) -> None:
    tokens = config_of(kind).media_tokens
    for probe in probes_of(kind).values():
        places = sum(probe.ids.count(id) for id in (tokens.image, tokens.video, tokens.audio))
        assert places == sum(medium.soft_tokens for medium in probe.media)
        assert probe.ids[0] == 2
    assert [probe.ids for probe in probes_of(kind).values()] == [
        probe.ids for probe in probes_of(kind).values()
    ]


def test_random_ids_avoid_the_media_of_both_sides() -> None:
    config = config_of("moe")
    other = replace(config, media_tokens=replace(config.media_tokens, image=100, audio=101))
    words = choose_words((config, other), None, None)
    assert len(words.passage) == 64
    used = {*words.passage, *words.question}
    assert min(used) >= 3
    assert not used & {*range(500, 507), 100, 101}


def test_with_a_tokenizer_the_passage_is_read_or_the_prompt() -> None:
    config = config_of("moe")
    assert list(choose_words((config,), Letters(), None).passage) == Letters().encode(PASSAGE)
    words = choose_words((config,), Letters(), "ab")
    assert words.passage == words.question == (100, 101)


def test_a_long_prompt_compares_some_rows_and_all_of_the_last() -> None:
    short, long = Probe(name="a", ids=(2,) * 64), Probe(name="b", ids=(2,) * 1000)
    assert short.rows == tuple(range(64))
    assert len(long.rows) <= SPREAD_ROWS + LAST_ROWS
    assert long.rows[-LAST_ROWS:] == tuple(range(1000 - LAST_ROWS, 1000))
    assert long.rows[0] == 0


@pytest.mark.parametrize("kind", ["e_series", "unified"])
def test_a_contrast_differs_and_has_the_same_shape(kind: str) -> None:
    config = config_of(kind)
    for medium in (make_image(config, 0), make_video(config), make_audio(config)):
        other = contrast(medium)
        assert other.soft_tokens == medium.soft_tokens
        assert other.digest != medium.digest
        for before, after in zip(_arrays(medium), _arrays(other), strict=True):
            assert before.shape == after.shape
            assert before.dtype == after.dtype == np.float32
            assert (before != after).mean() > 0.9


def _arrays(medium: ImageInput | VideoInput | AudioInput) -> list[np.ndarray]:
    match medium:
        case VideoInput():
            return [frame.patches for frame in medium.frames]
        case ImageInput():
            return [medium.patches]
        case AudioInput():
            return [medium.features[medium.mask]]


def test_silence_has_a_contrast() -> None:
    config = config_of("unified")
    sound = make_audio(config)
    silent = replace(sound, features=np.zeros_like(sound.features))
    assert np.abs(_arrays(contrast(silent))[0]).max() > 0.5


def test_each_medium_of_a_probe_is_exchanged_in_turn() -> None:
    probe = probes_of("e_series")["image and audio"]
    exchanged = list(probe.contrasts())
    assert [name for name, _ in exchanged] == ["image 1 of 2", "audio 2 of 2"]
    for index, (_, other) in enumerate(exchanged):
        assert other.ids == probe.ids
        same = [a is b for a, b in zip(probe.media, other.media, strict=True)]
        assert same == [index != 0, index != 1]


def test_the_generated_pictures_differ_in_shape_and_content() -> None:
    config = config_of("moe")
    first, second = make_image(config, 0), make_image(config, 1)
    assert first.patches.shape != second.patches.shape
    frames = make_video(config).frames
    assert not np.array_equal(frames[0].patches, frames[1].patches)


def test_the_users_media_take_the_place_of_ours(tmp_path: Path) -> None:
    picture, sound, film = (tmp_path / name for name in ("a.png", "a.wav", "a.mp4"))
    Image.new("RGB", (64, 48), (200, 30, 30)).save(picture)
    sound.write_bytes(wav(np.sin(np.arange(8000) / 7)))
    film.write_bytes(clip(frames=6))
    probes = probes_of("e_series", images=(picture, picture), audio=sound, video=film)
    assert probes["image"].media[0].usage.original == "64×48 px"
    assert len(probes["several images"].media) == 2
    assert probes["audio"].media[0].usage.original == "0.5 s"
    assert isinstance(probes["video"].media[0], VideoInput)
    assert len(probes["video"].media[0].frames) == 4


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        ("moe", {"audio": "x.wav"}, "audio cannot be compared: both sides take text, image, video"),
        (
            "gemma3_text",
            {"only": ("image",)},
            "image cannot be compared: both sides take text only",
        ),
        ("moe", {"only": ("smell",)}, "smell cannot be compared"),
        (
            "moe",
            {"only": ("text",), "images": ("x.png",)},
            "image was given, but only text is to be",
        ),
        ("moe", {"prompt": "hello"}, "no tokenizer to read it with"),
    ],
)
def test_input_that_cannot_be_used_is_refused(kind: str, wanted: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        probes_of(kind, **wanted)


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"a\.png"):
        probes_of("moe", images=(tmp_path / "a.png",))
