"""GGUF metadata, as llama.cpp's converter writes it, gives the configuration of config.json."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from gemma4.config.gguf.media import read_mmproj_config
from gemma4.config.gguf.reader import attach_media, read_gguf_config
from gemma4.config.model import DrafterConfig, MediaTokens, ModelConfig
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.config.text import TextConfig
from gemma4.config.towers import AudioConfig, UnifiedVisionConfig, VisionConfig
from gemma4.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "data" / "configs"
GEMMA4_NAMES = ("e2b", "e4b", "12b", "26b-a4b", "31b")


def single(value: float) -> float:
    """A number after its passage through single precision, as a GGUF file stores it."""
    stored: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return stored


def converted(text: TextConfig, arch: str = "gemma4") -> dict[str, object]:
    """What llama.cpp's converter writes for a Gemma 4 decoder."""
    sliding = [kind.value == "sliding_attention" for kind in text.layer_kinds]
    widths = [spec.intermediate_size for spec in text.plan_layers()]
    heads = [text.num_kv_heads if is_sliding else text.num_full_kv_heads for is_sliding in sliding]
    keys: dict[str, object] = {
        "block_count": text.num_layers,
        "context_length": text.max_positions,
        "embedding_length": text.hidden_size,
        "feed_forward_length": widths if text.double_wide_mlp else text.intermediate_size,
        "attention.head_count": text.num_heads,
        "attention.head_count_kv": heads if text.keys_are_values else text.num_kv_heads,
        "attention.layer_norm_rms_epsilon": single(1e-6),
        "attention.key_length": text.full_head_dim,
        "attention.value_length": text.full_head_dim,
        "attention.key_length_swa": text.head_dim,
        "attention.value_length_swa": text.head_dim,
        "attention.sliding_window": text.sliding_window,
        "attention.sliding_window_pattern": sliding,
        "attention.shared_kv_layers": text.num_kv_shared_layers,
        "embedding_length_per_layer_input": text.per_layer_dim,
        "rope.freq_base": text.rope_full.theta,
        "rope.freq_base_swa": text.rope_sliding.theta,
        "rope.dimension_count": text.full_head_dim,
        "rope.dimension_count_swa": text.head_dim,
    }
    if text.logit_softcap is not None:
        keys["final_logit_softcapping"] = text.logit_softcap
    if text.moe is not None:
        keys["expert_count"] = text.moe.num_experts
        keys["expert_used_count"] = text.moe.top_k
        keys["expert_feed_forward_length"] = text.moe.intermediate_size
    return {
        "general.architecture": arch,
        "general.file_type": 32,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 0,
        f"{arch}.vocab_size": text.vocab_size,
    } | {f"{arch}.{key}": value for key, value in keys.items()}


def shapes_of(text: TextConfig) -> dict[str, tuple[int, ...]]:
    """The tensors whose shape or absence says something."""
    shapes = {"token_embd.weight": (text.vocab_size, text.hidden_size)}
    if text.per_layer_dim:
        width = text.num_layers * text.per_layer_dim
        shapes["per_layer_token_embd.weight"] = (text.per_layer_vocab_size, width)
    for spec in text.plan_layers():
        if spec.owns_kv and not spec.keys_are_values:
            width = spec.num_kv_heads * spec.head_dim
            shapes[f"blk.{spec.index}.attn_v.weight"] = (width, text.hidden_size)
    return shapes


def text_only(config: ModelConfig) -> ModelConfig:
    """What a text file alone can say: no media, and the 12B looks like the others."""
    return replace(config, family="gemma4", vision=None, audio=None)


@pytest.mark.parametrize("name", GEMMA4_NAMES)
@pytest.mark.parametrize("with_shapes", [True, False])
def test_converted_metadata_reads_to_the_published_configuration(
    name: str, with_shapes: bool
) -> None:
    config = PUBLISHED_MODELS[name]
    shapes = shapes_of(config.text) if with_shapes else None
    assert read_gguf_config(converted(config.text), "m.gguf", shapes) == text_only(config)


@pytest.mark.parametrize("name", GEMMA4_NAMES)
def test_a_converted_drafter_reads_with_its_dense_head(name: str) -> None:
    drafter = PUBLISHED_DRAFTERS[name]
    arch = "gemma4-assistant"
    metadata = converted(drafter.text, arch) | {
        f"{arch}.embedding_length_out": drafter.backbone_hidden_size,
        f"{arch}.nextn_predict_layers": 4,
    }
    assert read_gguf_config(metadata, "m.gguf") == replace(
        drafter, family="gemma4_assistant", num_centroids=0, top_centroids=0
    )


def test_the_real_gemma3_270m_file_reads_to_the_published_configuration() -> None:
    metadata = json.loads((CONFIGS / "gemma3-270m.gguf.json").read_text())
    metadata["tokenizer.ggml.tokens"] = ["<pad>"] * 262_144
    config = read_gguf_config(metadata, "m.gguf")
    assert config == replace(PUBLISHED_MODELS["gemma3:270m"], stored_dtype=None)


def test_keys_as_values_are_told_by_the_missing_value_projections() -> None:
    text = replace(PUBLISHED_MODELS["31b"].text, num_full_kv_heads=16)
    metadata = converted(text) | {"gemma4.attention.head_count_kv": 16}
    config = read_gguf_config(metadata, "m.gguf", shapes_of(text))
    assert config.text == text
    shapes = shapes_of(text) | {"blk.5.attn_v.weight": (8192, 5376)}
    with pytest.raises(ConfigError, match=r"only some \(\[11, 17"):
        read_gguf_config(metadata, "m.gguf", shapes)


def test_media_tokens_and_end_ids_come_from_the_tokenizer() -> None:
    text = replace(PUBLISHED_MODELS["e2b"].text, vocab_size=7, per_layer_vocab_size=7)
    metadata = converted(text) | {
        "tokenizer.ggml.tokens": ["<pad>", "<eos>", "<|image>", "<|image|>", "<image|>", "a", "b"],
        "tokenizer.ggml.eot_token_id": 6,
    }
    config = read_gguf_config(metadata, "m.gguf")
    assert isinstance(config, ModelConfig)
    assert config.media_tokens == MediaTokens(begin_image=2, image=3, end_image=4)
    assert config.eos_ids == (1, 6)


def test_every_missing_key_is_named_in_one_message() -> None:
    metadata = converted(PUBLISHED_MODELS["31b"].text)
    for key in ("context_length", "embedding_length", "attention.key_length_swa", "rope.freq_base"):
        del metadata[f"gemma4.{key}"]
    with pytest.raises(ConfigError) as caught:
        read_gguf_config(metadata, "m.gguf")
    for key in ("context_length", "embedding_length", "attention.key_length_swa", "rope.freq_base"):
        assert f"gemma4.{key} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("attention.sliding_window_pattern", None, "is missing; give true or false for each of 60"),
        ("attention.sliding_window_pattern", [True] * 3, "= a list of 3; give true or false"),
        ("attention.head_count_kv", [16] * 59 + [5], "full_attention layers different counts"),
        ("attention.head_count_kv", 5, "= 5 does not divide 32 heads"),
        ("feed_forward_length", [21504] * 59 + [5], "it must be equal, or doubled in the last 0"),
        ("feed_forward_length", [], "give one number above 0, or one for each of 60 layers"),
        ("attention.value_length", 128, "differs from attention.key_length = 512"),
        ("rope.scaling.type", "yarn", "Gemma 4 does not scale its rotation"),
        ("attention.shared_kv_layers", 60, "= 60 of 60 layers"),
        ("block_count", 2**63, "no whole number from 1 to 1024"),
        ("attention.mystery", 1, "gemma4.attention.mystery is an unknown key"),
        ("vocab_size", None, "is missing, and so is tokenizer.ggml.tokens"),
    ],
)
def test_wrong_metadata_is_named(key: str, value: object, expected: str) -> None:
    metadata = converted(PUBLISHED_MODELS["31b"].text) | {f"gemma4.{key}": value}
    with pytest.raises(ConfigError) as caught:
        read_gguf_config(metadata, "m.gguf")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("llama", "general.architecture='llama'; supported: gemma4"), ("clip", "is a projector")],
)
def test_another_architecture_is_named(architecture: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        read_gguf_config({"general.architecture": architecture}, "m.gguf")


def projector(name: str) -> tuple[dict[str, object], dict[str, tuple[int, ...]]]:
    """Metadata and tensor shapes of the projector that llama.cpp's converter makes for a size."""
    config = PUBLISHED_MODELS[name]
    vision, audio = config.vision, config.audio
    metadata: dict[str, object] = {"general.architecture": "clip", "clip.has_vision_encoder": True}
    shapes: dict[str, tuple[int, ...]] = {}
    assert vision is not None
    tower = vision if isinstance(vision, VisionConfig) else None
    kind = "gemma4v" if tower else "gemma4uv"
    values: dict[str, object] = {
        "projector_type": kind,
        "image_size": 224,
        "patch_size": 16,
        "embedding_length": vision.hidden_size,
        "feed_forward_length": tower.intermediate_size if tower else 0,
        "block_count": tower.num_layers if tower else 0,
        "attention.head_count": tower.num_heads if tower else 0,
        "attention.layer_norm_epsilon": single(1e-6),
        "projection_dim": config.text.hidden_size,
        "image_mean": [0.0, 0.0, 0.0],
        "image_std": [1.0, 1.0, 1.0],
    }
    metadata |= {f"clip.vision.{key}": value for key, value in values.items()}
    shapes["v.position_embd.weight"] = (2, vision.position_embedding_size, vision.hidden_size)
    if tower:
        shapes["v.blk.0.attn_k.weight"] = (tower.hidden_size, tower.hidden_size)
        if tower.clips_linears:
            shapes["v.blk.0.attn_q.input_min"] = (1,)
        if tower.standardizes:
            shapes["v.std_bias"] = (tower.hidden_size,)
    if audio is None:
        return metadata, shapes
    heard = audio if isinstance(audio, AudioConfig) else None
    width = heard.hidden_size if heard else 640
    metadata["clip.has_audio_encoder"] = True
    values = {
        "projector_type": "gemma4a" if heard else "gemma4ua",
        "num_mel_bins": 128,
        "embedding_length": width,
        "feed_forward_length": 4 * width if heard else 0,
        "block_count": heard.num_layers if heard else 0,
        "attention.head_count": heard.num_heads if heard else 0,
        "attention.layer_norm_epsilon": single(1e-6),
        "projection_dim": config.text.hidden_size,
    }
    metadata |= {f"clip.audio.{key}": value for key, value in values.items()}
    if heard:
        shapes["a.conv1d.0.norm.weight"] = (heard.subsampling_channels[0],)
        shapes["a.conv1d.1.norm.weight"] = (heard.subsampling_channels[1],)
        shapes["a.pre_encode.out.bias"] = (heard.output_size,)
        shapes["a.blk.0.conv_dw.weight"] = (width, heard.conv_kernel_size)
        shapes["a.blk.0.attn_q.input_min"] = (1,)
    return metadata, shapes


@pytest.mark.parametrize("name", GEMMA4_NAMES)
def test_text_and_projector_together_give_the_published_configuration(name: str) -> None:
    config = PUBLISHED_MODELS[name]
    text = read_gguf_config(converted(config.text), "m.gguf", shapes_of(config.text))
    assert isinstance(text, ModelConfig)
    metadata, shapes = projector(name)
    assert attach_media(text, *read_mmproj_config(metadata, "mmproj.gguf", shapes)) == config


def test_a_projector_without_the_tensors_that_tell_sizes_is_refused() -> None:
    metadata, _ = projector("e2b")
    with pytest.raises(ConfigError) as caught:
        read_mmproj_config(metadata, "mmproj.gguf", {})
    for name in ("v.position_embd.weight", "a.pre_encode.out.bias", "a.blk.0.conv_dw.weight"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"general.architecture": "gemma4"}, "a projector (mmproj) has 'clip'"),
        (
            {"clip.vision.projector_type": "gemma3"},
            "= 'gemma3' is not supported; supported: gemma4v",
        ),
        (
            {"clip.has_vision_encoder": False, "clip.has_audio_encoder": None},
            "both false or missing",
        ),
        ({"clip.vision.block_count": 0}, "none may be 0"),
        ({"clip.audio.feed_forward_length": 5}, "= 5; it is 4 × 1024"),
        ({"clip.vision.novelty": 5}, "clip.vision.novelty is an unknown key"),
    ],
)
def test_a_wrong_projector_is_named(changes: dict[str, object], expected: str) -> None:
    metadata, shapes = projector("e2b")
    with pytest.raises(ConfigError) as caught:
        read_mmproj_config(metadata | changes, "mmproj.gguf", shapes)
    assert expected in str(caught.value)


def test_a_unified_projector_is_recognised_by_its_vision() -> None:
    metadata, shapes = projector("12b")
    vision, _ = read_mmproj_config(metadata, "mmproj.gguf", shapes)
    assert isinstance(vision, UnifiedVisionConfig)


def test_a_drafter_needs_the_width_of_its_target() -> None:
    drafter = PUBLISHED_DRAFTERS["31b"]
    with pytest.raises(ConfigError, match=r"gemma4-assistant\.embedding_length_out is missing"):
        read_gguf_config(converted(drafter.text, "gemma4-assistant"), "m.gguf")
    assert isinstance(drafter, DrafterConfig)
