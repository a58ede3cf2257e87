"""config.json is read in every spelling, and written so that transformers reads it back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import (
    Gemma3TextConfig,
    Gemma4AudioConfig,
    Gemma4Config,
    Gemma4TextConfig,
    Gemma4VisionConfig,
    PreTrainedConfig,
)
from transformers.models.gemma4_assistant import Gemma4AssistantConfig
from transformers.models.gemma4_unified import Gemma4UnifiedConfig
from transformers.models.gemma4_unified_assistant import Gemma4UnifiedAssistantConfig

from gemma4.config.huggingface.reader import load_json_object, read_config
from gemma4.config.huggingface.writer import write_config
from gemma4.config.layers import LayerKind, RopeConfig
from gemma4.config.model import DrafterConfig, MediaTokens, ModelConfig
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.config.text import MoeConfig

CONFIGS = Path(__file__).parents[1] / "data" / "configs"

PUBLISHED_FILES = {
    "e2b-it": "e2b",
    "e4b-it": "e4b",
    "12b": "12b",
    "26b-a4b-it": "26b-a4b",
    "31b-it": "31b",
    "gemma3-270m": "gemma3:270m",
    "gemma3-1b": "gemma3:1b",
}

TRANSFORMERS_CLASSES = {
    "gemma4": Gemma4Config,
    "gemma4_unified": Gemma4UnifiedConfig,
    "gemma3": Gemma3TextConfig,
    "gemma4_assistant": Gemma4AssistantConfig,
    "gemma4_unified_assistant": Gemma4UnifiedAssistantConfig,
}

PATTERN = ["sliding_attention"] * 4 + ["full_attention"]


def read(name: str) -> ModelConfig | DrafterConfig:
    path = CONFIGS / name
    return read_config(load_json_object(path), path)


def read_model(data: dict[str, object]) -> ModelConfig:
    config = read_config(data, "config.json")
    assert isinstance(config, ModelConfig)
    return config


def from_transformers(config: PreTrainedConfig) -> ModelConfig | DrafterConfig:
    """Read what transformers writes with all defaults spelled out, and what it writes to a file."""
    whole = read_config(json.loads(json.dumps(config.to_dict(), default=str)), "to_dict")
    assert read_config(json.loads(config.to_json_string()), "to_json_string") == whole
    return whole


@pytest.mark.parametrize(("file", "name"), PUBLISHED_FILES.items())
def test_a_published_file_reads_to_the_published_configuration(file: str, name: str) -> None:
    config = read(f"{file}.json")
    assert isinstance(config, ModelConfig)
    assert replace(config, eos_ids=(1,)) == PUBLISHED_MODELS[name]


def test_the_end_ids_of_the_top_level_come_before_those_of_the_decoder() -> None:
    config = read("31b-it.json")
    assert isinstance(config, ModelConfig)
    assert config.eos_ids == (1, 106)


def test_a_published_drafter_reads_to_the_published_configuration() -> None:
    assert read("e2b-it-assistant.json") == PUBLISHED_DRAFTERS["e2b"]


@pytest.mark.parametrize("name", [*PUBLISHED_MODELS])
def test_a_written_configuration_reads_back_equal(name: str) -> None:
    config = PUBLISHED_MODELS[name]
    assert read_config(json.loads(json.dumps(write_config(config))), name) == config


@pytest.mark.parametrize("name", [*PUBLISHED_MODELS])
def test_transformers_reads_a_written_configuration_to_the_same_model(name: str) -> None:
    config = PUBLISHED_MODELS[name]
    theirs = TRANSFORMERS_CLASSES[config.family].from_dict(write_config(config))
    assert from_transformers(theirs) == config


@pytest.mark.parametrize("name", [*PUBLISHED_DRAFTERS])
def test_transformers_reads_a_written_drafter_to_the_same_drafter(name: str) -> None:
    config = PUBLISHED_DRAFTERS[name]
    theirs = TRANSFORMERS_CLASSES[config.family].from_dict(write_config(config))
    assert from_transformers(theirs) == config


def test_full_heads_that_the_old_spelling_cannot_say_are_written_per_layer() -> None:
    text = replace(PUBLISHED_MODELS["e4b"].text, num_full_kv_heads=4)
    config = replace(PUBLISHED_MODELS["e4b"], text=text)
    theirs = Gemma4Config.from_dict(write_config(config))
    assert from_transformers(theirs) == config


def test_the_defaults_of_transformers_read() -> None:
    config = from_transformers(Gemma4Config(text_config=Gemma4TextConfig()))
    assert isinstance(config, ModelConfig)
    assert config.modalities == ("text",)
    assert config.text.per_layer_dim == 256
    assert config.text.layer_kinds.count(LayerKind.FULL) == 5
    unified = from_transformers(Gemma4UnifiedConfig(vision_config={}, audio_config={}))
    assert isinstance(unified, ModelConfig)
    assert unified.text.bidirectional_media
    assert unified.modalities == ("text", "image", "video", "audio")
    gemma3 = from_transformers(Gemma3TextConfig())
    assert isinstance(gemma3, ModelConfig)
    assert gemma3.family == "gemma3"
    assert gemma3.text.attention_scale == 1 / 16  # exact in binary


def test_a_tiny_model_of_every_feature_reads() -> None:
    theirs = Gemma4Config(
        text_config=Gemma4TextConfig(
            vocab_size=512,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=10,
            layer_types=PATTERN * 2,
            num_attention_heads=4,
            num_key_value_heads=2,
            num_global_key_value_heads=1,
            attention_k_eq_v=True,
            head_dim=16,
            global_head_dim=32,
            sliding_window=8,
            num_kv_shared_layers=5,
            use_double_wide_mlp=True,
            hidden_size_per_layer_input=8,
            vocab_size_per_layer_input=512,
            enable_moe_block=True,
            num_experts=8,
            top_k_experts=3,
            moe_intermediate_size=24,
            use_bidirectional_attention="vision",
            final_logit_softcapping=30.0,
        ),
        vision_config=Gemma4VisionConfig(
            hidden_size=48, num_attention_heads=4, num_key_value_heads=2, head_dim=12
        ),
        audio_config=Gemma4AudioConfig(hidden_size=64, num_attention_heads=4, output_proj_dims=40),
        boi_token_id=500,
        eoa_token_index=505,
    )
    config = from_transformers(theirs)
    assert isinstance(config, ModelConfig)
    text = config.text
    assert text.moe == MoeConfig(num_experts=8, top_k=3, intermediate_size=24)
    assert (text.num_kv_heads, text.num_full_kv_heads) == (2, 1)
    assert (text.head_dim, text.full_head_dim) == (16, 32)
    assert text.rope_full == RopeConfig(theta=1e6, rotary_fraction=0.25)
    assert text.double_wide_mlp
    assert text.bidirectional_media
    assert text.per_layer_dim == 8
    assert config.audio is not None
    assert config.media_tokens == MediaTokens(begin_image=500, end_audio=505)


def test_full_layers_as_wide_as_sliding_ones_read() -> None:
    """transformers writes an empty per_layer_config, which does not mean the default of 512."""
    config = from_transformers(Gemma4Config(text_config=Gemma4TextConfig(global_head_dim=256)))
    assert config.text.full_head_dim == 256


def test_a_decoder_without_towers_reads_from_its_own_config() -> None:
    theirs = Gemma4TextConfig(num_hidden_layers=6, num_key_value_heads=2)
    config = from_transformers(theirs)
    assert isinstance(config, ModelConfig)
    assert (config.family, config.modalities) == ("gemma4", ("text",))


def test_a_drafter_that_says_it_shares_nothing_borrows_everything() -> None:
    data = json.loads((CONFIGS / "e2b-it-assistant.json").read_text())
    data["text_config"]["num_kv_shared_layers"] = 0
    assert read_config(data, "config.json").text.num_kv_shared_layers == 4


def test_a_drafter_never_caps_its_logits() -> None:
    data = json.loads((CONFIGS / "e2b-it-assistant.json").read_text())
    data["text_config"]["final_logit_softcapping"] = 30.0
    assert read_config(data, "config.json").text.logit_softcap is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eoa_token_index", 258883),  # the April files
        ("eoa_token_id", 258883),  # later ones
    ],
)
def test_either_name_of_the_end_of_audio_id_will_do(key: str, value: int) -> None:
    data = json.loads((CONFIGS / "e2b-it.json").read_text())
    del data["eoa_token_index"], data["eoa_token_id"]
    data[key] = value
    assert read_model(data).media_tokens.end_audio == value


def test_the_older_names_of_experts_read() -> None:
    data = json.loads((CONFIGS / "26b-a4b-it.json").read_text())
    text = data["text_config"]
    text["num_experts_per_tok"] = text.pop("top_k_experts")
    text["expert_intermediate_size"] = text.pop("moe_intermediate_size")
    assert read_model(data).text.moe == PUBLISHED_MODELS["26b-a4b"].text.moe


def test_either_name_of_the_stored_dtype_will_do() -> None:
    data = json.loads((CONFIGS / "31b-it.json").read_text())
    del data["dtype"], data["text_config"]["dtype"]
    assert read_model(data).stored_dtype is None
    assert read_model({**data, "torch_dtype": "float16"}).stored_dtype == "float16"
    assert read_model({**data, "dtype": "torch.float32"}).stored_dtype == "float32"


def test_a_quantized_checkpoint_keeps_its_model_configuration() -> None:
    data = json.loads((CONFIGS / "31b-it.json").read_text())
    data["quantization_config"] = {"quant_method": "compressed-tensors"}
    assert replace(read_model(data), eos_ids=(1,)) == PUBLISHED_MODELS["31b"]
