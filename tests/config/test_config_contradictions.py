"""What a config.json must not say: each case gives one message with key, value and remedy."""

import copy
import json
from pathlib import Path

import pytest

from gemma4.config.huggingface.reader import load_json_object, read_config
from gemma4.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "data" / "configs"


def load(name: str) -> dict[str, object]:
    data: dict[str, object] = json.loads((CONFIGS / f"{name}.json").read_text())
    return data


def changed(name: str, **changes: object) -> dict[str, object]:
    """A file with keys set; `a__b` is key b of object a, and the value `...` removes the key."""
    data = copy.deepcopy(load(name))
    for path, value in changes.items():
        place: dict[str, object] = data
        *parents, key = path.split("__")
        for parent in parents:
            inner = place[parent]
            assert isinstance(inner, dict)
            place = inner
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return data


def message(data: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(data, "config.json")
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_every_unknown_key_is_named_with_its_path_in_one_message() -> None:
    text = message(
        changed(
            "e2b-it",
            rope_scaling_factor=2,
            text_config__mystery=1,
            vision_config__layer_drop=0.1,
            audio_config__extra=None,
        )
    )
    assert "4 problems" in text
    for path in ("rope_scaling_factor", "text_config.mystery", "vision_config.layer_drop"):
        assert f"{path} is an unknown key" in text
    assert "audio_config.extra is an unknown key" in text


def test_every_missing_key_is_named_in_one_message() -> None:
    text = message(changed("31b-it", text_config__hidden_size=..., text_config__vocab_size=...))
    assert "text_config.hidden_size is missing" in text
    assert "text_config.vocab_size is missing" in text


CASES: list[tuple[str, dict[str, object], str]] = [
    (
        "31b-it",
        {"text_config__layer_types": ["full_attention"] * 3},
        "has 3 entries for num_hidden",
    ),
    ("31b-it", {"text_config__layer_types": ["mamba"] * 60}, "holds 'mamba'; supported: full_att"),
    (
        "31b-it",
        {"text_config__layer_types": ["full_attention"] * 59 + ["sliding_attention"]},
        "the last layer must be full",
    ),
    (
        "31b-it",
        {"text_config__sliding_window_pattern": 5},
        "contradicts sliding_window_pattern = 5",
    ),
    ("31b-it", {"text_config__attention_bias": True}, "text_config.attention_bias = True is not"),
    ("31b-it", {"text_config__attention_dropout": 0.1}, "attention_dropout = 0.1 is not supported"),
    (
        "31b-it",
        {"text_config__hidden_activation": "relu"},
        "= 'relu' is not supported; supported: g",
    ),
    (
        "31b-it",
        {"tie_word_embeddings": "no"},
        "tie_word_embeddings = 'no' is neither true nor false",
    ),
    (
        "31b-it",
        {"text_config__use_bidirectional_attention": "all"},
        "use_bidirectional_attention = 'all' is not supported; supported: vision",
    ),
    (
        "31b-it",
        {"text_config__rope_parameters__full_attention__rope_type": "yarn"},
        "rope_parameters.full_attention.rope_type = 'yarn' is not supported; supported: default, pro",
    ),
    (
        "31b-it",
        {"text_config__rope_parameters__full_attention__rope_type": "default"},
        "'default' takes no partial_rotary_factor",
    ),
    (
        "31b-it",
        {"vision_config__rope_parameters__rope_type": "linear"},
        "supported: axial, default",
    ),
    (
        "e2b-it",
        {"text_config__num_global_key_value_heads": 4},
        "num_global_key_value_heads = 4 has no effect without attention_k_eq_v",
    ),
    (
        "31b-it",
        {"text_config__num_key_value_heads": 5},
        "= 5 does not divide num_attention_heads = 32",
    ),
    ("31b-it", {"text_config__global_head_dim": 511}, "global_head_dim = 511 is odd"),
    (
        "31b-it",
        {"text_config__per_layer_config": {"5": {"head_dim": 128}}},
        "gives layers of one kind different heads",
    ),
    (
        "31b-it",
        {"text_config__per_layer_config": {"60": {"head_dim": 512}}},
        "per_layer_config.60 is an unknown key",
    ),
    ("e2b-it", {"text_config__num_kv_shared_layers": 35}, "= 35 leaves none of 35 layers"),
    (
        "e2b-it",
        {"text_config__vocab_size_per_layer_input": 0},
        "= 0 with hidden_size_per_layer_input",
    ),
    ("31b-it", {"text_config__num_experts": 8}, "num_experts is set, but enable_moe_block is not"),
    ("26b-a4b-it", {"text_config__top_k_experts": 129}, "= 129 exceeds num_experts = 128"),
    (
        "26b-a4b-it",
        {"text_config__num_experts_per_tok": 4},
        "under two names with different values",
    ),
    ("e2b-it", {"eoa_token_index": 7}, "eoa_token_index = 7 contradicts eoa_token_id = 258883"),
    ("e2b-it", {"image_token_id": None}, "image_token_id is null, but the model has a vision part"),
    ("e2b-it", {"bos_token_id": 3}, "bos_token_id contradicts text_config.bos_token_id = 2"),
    ("e2b-it", {"torch_dtype": "float16"}, "dtype = bfloat16 but torch_dtype = float16"),
    ("e2b-it", {"dtype": "int8"}, "supported: bfloat16, float16, float32"),
    ("e2b-it", {"audio_config__hidden_act": "gelu"}, "audio_config.hidden_act = 'gelu'"),
    ("e2b-it", {"audio_config__input_feat_size": 80}, "the front end makes 128 mel bins"),
    ("e2b-it", {"audio_config__subsampling_conv_channels": [1]}, "give two counts above 0"),
    ("e2b-it", {"audio_config__num_attention_heads": 7}, "does not divide hidden_size = 1024"),
    (
        "e2b-it",
        {"vision_config__head_dim": 63, "vision_config__global_head_dim": 63},
        "multiple of 4",
    ),
    ("e2b-it", {"text_config__model_type": "gemma3_text"}, "supported here: gemma4_text"),
    ("e2b-it", {"vision_config__model_type": "siglip"}, "supported here: gemma4_vision"),
    (
        "12b",
        {"vision_config__model_patch_size": 40},
        "must be patch_size × pooling_kernel_size = 48",
    ),
    ("12b", {"vision_config__output_proj_dims": 10}, "= 10 must equal mm_embed_dim = 3840"),
    ("12b", {"audio_config__hidden_size": 641}, "must equal audio_embed_dim = 640"),
    ("12b", {"text_config__hidden_size_per_layer_input": 256}, "gemma4_unified has none"),
    ("12b", {"text_config": ...}, "text_config is missing"),
    ("12b", {"text_config": [1]}, "text_config = a list of 1 is no object"),
    ("e2b-it-assistant", {"text_config__num_kv_shared_layers": 2}, "4 layers all borrow theirs"),
    ("e2b-it-assistant", {"text_config__use_double_wide_mlp": True}, "a drafter has none"),
    ("e2b-it-assistant", {"num_centroids": 2049}, "= 2049 must divide vocab_size = 262144"),
    ("gemma3-270m", {"attn_logit_softcapping": 50.0}, "Gemma 3 does not cap attention"),
    ("gemma3-270m", {"rope_scaling": {"factor": 8.0}}, "rope_scaling = an object is not supported"),
    ("gemma3-270m", {"use_bidirectional_attention": True}, "embedding models are not supported"),
    (
        "gemma3-270m",
        {"rope_parameters": {"full_attention": {"rope_theta": 5e5}}},
        "rope_theta = 1e+06 contradicts rope_parameters",
    ),
    ("31b-it", {"text_config__hidden_size": 10**18}, "no whole number from 1 to 2147483647"),
    ("31b-it", {"text_config__num_hidden_layers": 10**18}, "no whole number from 1 to 1024"),
    ("31b-it", {"text_config__hidden_size": True}, "hidden_size = True is no whole number"),
    ("31b-it", {"text_config__rms_norm_eps": float("nan")}, "rms_norm_eps = nan is no number"),
    ("31b-it", {"text_config__hidden_size": 5376.0}, "hidden_size = 5376.0 is no whole number"),
]


@pytest.mark.parametrize(("name", "changes", "expected"), CASES, ids=[case[2] for case in CASES])
def test_a_contradiction_is_named(name: str, changes: dict[str, object], expected: str) -> None:
    text = message(changed(name, **changes))
    assert expected in text
    assert "config.json has 1 problem" in text or "problems" in text


def test_sharing_layers_without_a_source_are_refused() -> None:
    kinds = ["full_attention"] * 15 + ["sliding_attention"] * 19 + ["full_attention"]
    assert "leaves no sliding_attention layer" in message(
        changed("e2b-it", text_config__layer_types=kinds)
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("gemma3", "the multimodal Gemma 3 of 4B and more, which is not supported"),
        ("llama", "has model_type='llama'; supported: gemma4, gemma4_unified"),
        (None, "has no model_type"),
        ([], "has model_type=a list of 0"),
    ],
)
def test_another_architecture_is_named(kind: object, expected: str) -> None:
    assert expected in message(changed("31b-it", model_type=kind))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"{", "is no JSON"),
        (b"[]", "holds a list of 0, not an object"),
        (b"[" * 100_000, "is no JSON"),
        (b"1" * 5_000, "is no JSON"),
        (b" " * (4 * 2**20 + 1), "has 4,194,305 bytes"),
    ],
    ids=["empty", "binary", "cut", "list", "deep", "digits", "large"],
)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load_json_object(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json cannot be read: No such file"):
        load_json_object(tmp_path / "config.json")
