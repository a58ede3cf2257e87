"""Weights: every tensor counted, each in the precision that it has, each where the loader puts it."""

import pytest

from gemma4.catalog import FAMILY
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import ConfigError
from gemma4.fit.counts import Role, count_active_parameters, count_parameters, counted_tensors
from gemma4.fit.precision import QUANTIZATIONS, encoded_bytes, find_quantization
from gemma4.fit.weights import StoredWeights, estimate_stored_weights, estimate_weights

# Counted by instantiating transformers' classes on the meta device.
TOTALS = {
    "e2b": 5_104_298_467,
    "e4b": 7_941_101_802,
    "12b": 11_959_730_224,
    "26b-a4b": 25_805_936_206,
    "31b": 31_273_088_876,
}


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_the_tensors_add_up_to_the_published_model(name: str, total: int) -> None:
    assert count_parameters(counted_tensors(PUBLISHED_MODELS[name])) == total


@pytest.mark.parametrize("member", FAMILY, ids=lambda member: member.name)
def test_the_catalog_says_the_sizes_that_the_tensors_have(member: object) -> None:
    from gemma4.catalog import FamilyMember

    assert isinstance(member, FamilyMember)
    groups = counted_tensors(member.config)
    left_out = (Role.PER_LAYER_TABLE, Role.VISION, Role.AUDIO)
    assert member.total_parameters == count_parameters(groups)
    assert member.effective_parameters == count_parameters(
        group for group in groups if group.role not in left_out
    )
    assert member.active_parameters == count_active_parameters(member.config)


def test_bfloat16_takes_two_bytes_and_the_table_stays_on_disk() -> None:
    weights = estimate_weights(PUBLISHED_MODELS["e2b"], QUANTIZATIONS["bf16"], "bfloat16")
    assert weights.file_bytes == 2 * TOTALS["e2b"]
    assert weights.disk_bytes == 2 * 2_348_810_240
    assert weights.media_bytes == 2 * (168_544_704 + 307_184_384)
    assert weights.text_bytes == 2 * (402_653_184 + 1_877_105_955)
    assert weights.copied_bytes == 0


def test_quantized_matrices_are_expanded_but_downloaded_small() -> None:
    weights = estimate_weights(PUBLISHED_MODELS["31b"], QUANTIZATIONS["q4_0"], "bfloat16")
    wide = estimate_weights(PUBLISHED_MODELS["31b"], QUANTIZATIONS["q4_0"], "float32")
    plain = estimate_weights(PUBLISHED_MODELS["31b"], QUANTIZATIONS["bf16"], "bfloat16")
    assert weights.text_bytes == plain.text_bytes
    assert weights.media_bytes == plain.media_bytes  # towers stay in bfloat16
    linear, embedding, vectors = 29_286_727_680, 1_409_286_144, 1_331_516
    text = linear * 18 // 32 + embedding * 210 // 256 + vectors * 4
    assert weights.file_bytes == text + plain.media_bytes
    assert weights.copied_bytes == weights.text_bytes
    # In float32 the towers are expanded too; the vectors are stored so and stay in the file.
    assert wide.text_bytes == 2 * weights.text_bytes
    assert wide.copied_bytes == 4 * (linear + embedding) + 2 * plain.media_bytes
    assert wide.file_bytes == weights.file_bytes


@pytest.mark.parametrize(
    ("encoding", "shape", "expected"),
    [
        ("F32", (), 4),
        ("BF16", (3, 5), 30),
        ("Q8_0", (2, 64), 2 * 2 * 34),
        ("Q8_0", (2, 65), 2 * 3 * 34),
        ("Q6_K", (4, 256), 4 * 210),
        ("W4A16", (1, 32), 18),
    ],
)
def test_blocks_are_counted_whole(encoding: str, shape: tuple[int, ...], expected: int) -> None:
    assert encoded_bytes(encoding, shape) == expected


def test_a_checkpoint_at_hand_is_counted_as_it_is_stored() -> None:
    stored = [
        StoredWeights(name="model.language_model.a", encoding="BF16", num_elements=10, nbytes=20),
        StoredWeights(name="model.language_model.b", encoding="Q4_0", num_elements=32, nbytes=18),
        StoredWeights(name="model.vision_tower.c", encoding="F32", num_elements=5, nbytes=20),
        StoredWeights(
            name="model.language_model.embed_tokens_per_layer.weight",
            encoding="Q8_0",
            num_elements=64,
            nbytes=68,
        ),
    ]
    weights = estimate_stored_weights(stored, "bfloat16")
    assert weights.file_bytes == 126
    assert weights.text_bytes == 20 + 32 * 2
    assert weights.media_bytes == 5 * 2
    assert weights.disk_bytes == 68
    assert weights.copied_bytes == 32 * 2 + 5 * 2


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'q3' is unknown; known: fp32, bf16, fp16, q8_0, q4_k_m, q4_0"
    ):
        find_quantization("q3")
    with pytest.raises(ConfigError, match="encoding 'Q9' is unknown; known: F64"):
        encoded_bytes("Q9", (1,))
    with pytest.raises(ConfigError, match="dtype 'int8' is unknown; known: float32"):
        estimate_stored_weights([], "int8")
    assert find_quantization("QAT-Q4_0").name == "q4_0"
