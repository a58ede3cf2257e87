"""Generation settings come from the checkpoint; what has no effect is reported, not dropped."""

import json
from pathlib import Path

import pytest

from gemma4.config.generation import (
    GenerationDefaults,
    load_generation_config,
    read_generation_config,
    read_gguf_generation,
)
from gemma4.errors import ConfigError

INSTRUCTED = {
    "_from_model_config": True,
    "bos_token_id": 2,
    "do_sample": True,
    "eos_token_id": [1, 106, 50],
    "pad_token_id": 0,
    "temperature": 1.0,
    "top_k": 64,
    "top_p": 0.95,
    "transformers_version": "5.5.0.dev0",
}


def test_the_settings_of_the_instructed_models_read(tmp_path: Path) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps(INSTRUCTED | {"suppress_tokens": [258883, 258882]}))
    assert load_generation_config(path) == GenerationDefaults(
        do_sample=True,
        temperature=1.0,
        top_k=64,
        top_p=0.95,
        eos_ids=(1, 106, 50),
        bos_id=2,
        pad_id=0,
        suppress_ids=(258883, 258882),
    )


def test_transformers_settings_written_in_full_leave_no_notes() -> None:
    from transformers import GenerationConfig

    written = GenerationConfig(do_sample=True, temperature=1.0, top_k=64, top_p=0.95).to_dict()
    defaults = read_generation_config(json.loads(json.dumps(written)), "generation_config.json")
    assert defaults == GenerationDefaults(do_sample=True, temperature=1.0, top_k=64, top_p=0.95)


def test_silence_means_greedy_as_in_transformers() -> None:
    assert read_generation_config({}, "generation_config.json") == GenerationDefaults(
        do_sample=False
    )


def test_the_number_of_drafts_of_a_drafter_reads() -> None:
    data = {"num_assistant_tokens": 4, "num_assistant_tokens_schedule": "heuristic"}
    defaults = read_generation_config(data, "generation_config.json")
    assert (defaults.num_draft_tokens, defaults.notes) == (4, ())


def test_settings_without_effect_are_noted() -> None:
    data = INSTRUCTED | {
        "num_beams": 4,
        "no_repeat_ngram_size": 3,
        "novelty": "x",
        "typical_p": 1.0,
    }
    notes = read_generation_config(data, "generation_config.json").notes
    assert notes == (
        "num_beams=4 is recommended but has no effect here",
        "no_repeat_ngram_size=3 is recommended but has no effect here",
        "novelty='x' is recommended but has no effect here",
    )


def test_all_malformed_settings_are_named_in_one_message() -> None:
    data = {"temperature": "hot", "top_k": 6.5, "top_p": 1.5, "eos_token_id": ["a"]}
    with pytest.raises(ConfigError) as caught:
        read_generation_config(data, "generation_config.json")
    for text in (
        "temperature = 'hot' is no number from 0 to 100",
        "top_k = 6.5 is no whole number from 0",
        "top_p = 1.5 is no number from 0 to 1",
        "eos_token_id = a list of 1 is no whole number",
    ):
        assert text in str(caught.value)


def test_a_gguf_file_gives_its_special_ids_and_sampling() -> None:
    metadata = {
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.eot_token_id": 106,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.suppress_tokens": [258883, 258882],
        "general.sampling.temp": 1.0,
        "general.sampling.top_p": 0.949999988079071,  # 0.95 in single precision
        "general.sampling.mirostat": 2,
    }
    assert read_gguf_generation(metadata, "m.gguf") == GenerationDefaults(
        do_sample=True,
        temperature=1.0,
        top_p=0.95,
        eos_ids=(1, 106),
        bos_id=2,
        pad_id=0,
        suppress_ids=(258883, 258882),
        notes=("general.sampling.mirostat=2 is recommended but has no effect here",),
    )


def test_a_gguf_file_without_sampling_says_nothing_of_it() -> None:
    assert read_gguf_generation({}, "m.gguf") == GenerationDefaults()
