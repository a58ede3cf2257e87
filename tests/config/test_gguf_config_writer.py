"""A configuration goes into GGUF keys and comes back the same, or is refused by name."""

from dataclasses import replace

import pytest

from gemma4.config import DrafterConfig, LayerKind
from gemma4.config.generation import GenerationDefaults, read_gguf_generation
from gemma4.config.gguf.media import read_mmproj_config
from gemma4.config.gguf.media_writer import write_mmproj_config
from gemma4.config.gguf.reader import attach_media, read_gguf_config
from gemma4.config.gguf.writer import write_gguf_config, write_gguf_generation
from gemma4.config.published import B31, E2B, GEMMA3_270M, PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import ConfigError
from gemma4.weights.quantize.plan import plan_gguf
from gemma4.weights.quantize.recipes import find_recipe

PLAIN = find_recipe("f32")


def shapes_of(config):
    """GGUF names and shapes of the text tensors, and of the media tensors."""
    plan = plan_gguf(config, PLAIN)
    return ({t.name: t.shape for t in plan.text}, {t.name: t.shape for t in plan.media})


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_a_published_model_comes_back(name):
    config = PUBLISHED_MODELS[name]
    text, media = shapes_of(config)
    keys = write_gguf_config(config, text)
    found = read_gguf_config(keys, "here", text)
    if config.vision is not None:
        projector = write_mmproj_config(config, media)
        found = attach_media(found, *read_mmproj_config(projector, "there", media))
    assert replace(found, stored_dtype="bfloat16") == config


@pytest.mark.parametrize("name", PUBLISHED_DRAFTERS)
def test_a_published_drafter_comes_back_with_its_dense_head(name):
    config = PUBLISHED_DRAFTERS[name]
    text, _ = shapes_of(config)
    found = read_gguf_config(write_gguf_config(config, text), "here", text)
    assert isinstance(found, DrafterConfig)
    assert found.text == config.text
    assert found.backbone_hidden_size == config.backbone_hidden_size


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            replace(GEMMA3_270M, text=replace(GEMMA3_270M.text, attention_scale=0.25)),
            r"GGUF format cannot say attention_scale=0.25; write safetensors instead",
        ),
        (
            replace(
                B31,
                text=replace(B31.text, rope_full=replace(B31.text.rope_full, rotary_fraction=0.5)),
            ),
            r"cannot say rope_full=RopeConfig\(theta=1000000.0, rotary_fraction=0.5",
        ),
        (
            replace(E2B, text=replace(E2B.text, bidirectional_media=True)),
            "cannot say bidirectional_media=True",
        ),
    ],
)
def test_what_gguf_cannot_say_is_refused_by_name(config, message):
    with pytest.raises(ConfigError, match=message):
        write_gguf_config(config, shapes_of(config)[0])


def test_another_pattern_of_gemma3_is_written_out():
    kinds = (LayerKind.SLIDING, LayerKind.FULL) * 9
    config = replace(GEMMA3_270M, text=replace(GEMMA3_270M.text, layer_kinds=kinds))
    text, _ = shapes_of(config)
    keys = write_gguf_config(config, text)
    assert keys["gemma3.attention.sliding_window_pattern"] == [True, False] * 9
    assert read_gguf_config(keys, "here", text).text.layer_kinds == kinds


def test_a_tower_that_gguf_cannot_say_is_refused():
    assert E2B.vision is not None
    config = replace(E2B, vision=replace(E2B.vision, rope_theta=200.0))
    with pytest.raises(ConfigError, match="cannot say this vision configuration"):
        write_mmproj_config(config, shapes_of(config)[1])


def test_recommended_settings_come_back_and_what_has_no_key_is_told():
    given = GenerationDefaults(
        do_sample=True,
        temperature=1.0,
        top_k=64,
        top_p=0.95,
        min_p=0.05,
        repetition_penalty=1.1,
        max_new_tokens=500,
        eos_ids=(1, 106, 50, 7),
        bos_id=2,
        pad_id=0,
        suppress_ids=(258883, 258882),
    )
    keys, notes = write_gguf_generation(given, E2B)
    found = read_gguf_generation(keys, "here")
    assert found == replace(given, eos_ids=(1, 106, 50), max_new_tokens=None)
    assert notes == (
        "further ids that end an answer ((7,)) left out: GGUF has no key for it",
        "max_new_tokens (500) left out: GGUF has no key for it",
    )


def test_greedy_stays_greedy_and_the_models_own_ids_are_kept():
    keys, _ = write_gguf_generation(GenerationDefaults(do_sample=False, temperature=0.7), E2B)
    found = read_gguf_generation(keys, "here")
    assert found.do_sample is False
    assert found.eos_ids == E2B.eos_ids
    assert (found.bos_id, found.pad_id) == (2, 0)


def test_a_checkpoint_that_recommends_nothing_gives_no_settings():
    keys, notes = write_gguf_generation(GenerationDefaults(), E2B)
    assert not [key for key in keys if key.startswith("general.sampling")]
    assert read_gguf_generation(keys, "here").do_sample is None
    assert notes == ()
