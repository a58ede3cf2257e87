"""Which tensor of each published model gets which format: names and configurations, no weights."""

from collections import Counter

import pytest

from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import InputError
from gemma4.tensors.entry import SIX_BITS, SIXTEEN_BITS
from gemma4.weights.quantize.directory import plan_directory
from gemma4.weights.quantize.plan import plan_gguf
from gemma4.weights.quantize.recipes import RECIPES, find_recipe, spread

GEMMA4 = ("e2b", "e4b", "12b", "26b-a4b", "31b")
BITS = {
    "F32": 32, "F16": 16, "BF16": 16, "Q8_0": 8, "Q6_K": 6, "Q5_K": 5, "Q5_0": 5, "Q5_1": 5,
    "Q4_K": 4, "Q4_0": 4, "Q4_1": 4, "I64": 64,
}  # fmt: skip
# Layers that llama.cpp's `use_more_bits` picks for Q4_K_M and Q5_K_M.
MORE_BITS = {
    35: [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 31, 32, 33, 34],
    42: [0, 1, 2, 3, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 36, 37, 38, 39, 40, 41],
    48: [*range(6), 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, *range(42, 48)],
    30: [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29],
    60: [*range(7), 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45, 48, 51, *range(52, 60)],
}


def formats(name, recipe):
    plan = plan_gguf(PUBLISHED_MODELS[name], find_recipe(recipe))
    return {tensor.name: tensor.format.name for tensor in (*plan.text, *plan.media)}


def bytes_of(name, recipe):
    plan = plan_gguf(PUBLISHED_MODELS[name], find_recipe(recipe))
    return sum(tensor.nbytes for tensor in plan.text)


@pytest.mark.parametrize("count", MORE_BITS)
def test_the_layers_with_more_bits_are_llama_cpps(count):
    assert [index for index in range(count) if spread(index, count)] == MORE_BITS[count]


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "w4a16"])
@pytest.mark.parametrize("name", [*PUBLISHED_MODELS])
def test_no_tensor_gets_fewer_bits_than_its_table_asks_for(name, recipe):
    plan = plan_gguf(PUBLISHED_MODELS[name], find_recipe(recipe))
    for tensor in (*plan.text, *plan.media):
        floor = tensor.entry.lowest_bits
        # The recipes of plain 16-bit numbers round what is asked for in full to no less than that.
        assert BITS[tensor.format.name] >= floor, tensor.name
        assert tensor.shape[-1] % tensor.format.block_size == 0


@pytest.mark.parametrize("name", GEMMA4)
def test_q4_0_is_four_bits_but_for_tables_router_and_norms(name):
    found = formats(name, "q4_0")
    text = PUBLISHED_MODELS[name].text
    whole = text.hidden_size % 256 == 0
    assert found["token_embd.weight"] == ("Q6_K" if whole else "Q8_0")
    assert found["blk.0.ffn_up.weight"] == "Q4_0"
    assert found["blk.0.attn_norm.weight"] == "F32"
    assert found["blk.0.layer_output_scale.weight"] == "F32"
    if text.per_layer_dim:
        assert found["per_layer_token_embd.weight"] == "Q6_K"
        assert found["per_layer_model_proj.weight"] == "Q8_0"
        assert found["blk.3.inp_gate.weight"] == found["blk.3.proj.weight"] == "Q8_0"
    if text.moe:
        assert found["blk.0.ffn_gate_inp.weight"] == found["blk.0.ffn_gate_inp.scale"] == "F32"
        assert found["blk.0.ffn_gate_up_exps.weight"] == "Q4_0"
    media = {fmt for tensor, fmt in found.items() if tensor.startswith(("v.", "a.", "mm."))}
    assert media == {"F32", "BF16"}


@pytest.mark.parametrize("name", GEMMA4)
def test_q4_k_m_gives_values_and_down_projections_of_chosen_layers_six_bits(name):
    found, text = formats(name, "q4_k_m"), PUBLISHED_MODELS[name].text
    more = set(MORE_BITS[text.num_layers])
    for spec in text.plan_layers():
        down = found[f"blk.{spec.index}.ffn_down.weight"]
        if spec.intermediate_size % 256 == 0:
            assert down == ("Q6_K" if spec.index in more else "Q4_K")
        else:  # 26B-A4B: 2112 is no multiple of 256
            assert down == ("Q8_0" if spec.index in more else "Q5_0")
        if spec.owns_kv:
            values = "attn_k" if spec.keys_are_values else "attn_v"
            wanted = "Q6_K" if spec.index in more else "Q4_K"
            assert found[f"blk.{spec.index}.{values}.weight"] == wanted
            if not spec.keys_are_values:
                assert found[f"blk.{spec.index}.attn_k.weight"] == "Q4_K"
        assert found[f"blk.{spec.index}.attn_q.weight"] == "Q4_K"


def test_q4_k_s_has_its_richer_layers_in_front():
    found = formats("31b", "q4_k_s")
    values = [i for i in range(60) if found.get(f"blk.{i}.attn_v.weight") == "Q5_K"]
    down = [i for i in range(60) if found[f"blk.{i}.ffn_down.weight"] == "Q5_K"]
    assert values == [0, 1, 2, 3]
    assert down == [0, 1, 2, 3, 4, 5, 6]


def test_rows_that_do_not_fit_are_told():
    plan = plan_gguf(PUBLISHED_MODELS["26b-a4b"], find_recipe("q4_k_m"))
    assert sorted(plan.notes) == [
        "14 tensors (blk.0.ffn_down.weight, …) are Q8_0 instead of Q6_K: their rows of 2112 are no "
        "whole number of its blocks",
        "14 tensors (blk.0.ffn_down_exps.weight, …) are Q8_0 instead of Q6_K: their rows of 704 are "
        "no whole number of its blocks",
        "16 tensors (blk.3.ffn_down.weight, …) are Q5_0 instead of Q4_K: their rows of 2112 are no "
        "whole number of its blocks",
        "16 tensors (blk.3.ffn_down_exps.weight, …) are Q5_0 instead of Q4_K: their rows of 704 are "
        "no whole number of its blocks",
    ]
    assert plan_gguf(PUBLISHED_MODELS["31b"], find_recipe("q4_k_m")).notes == ()


def test_sizes_of_the_text_files():
    """Bytes of all tensors; exact, so that a change of the policy is seen."""
    sizes = {(n, r): round(bytes_of(n, r) / 1e9, 2) for n in GEMMA4 for r in ("q8_0", "q4_0")}
    assert sizes == {
        ("e2b", "q8_0"): 4.92,
        ("e2b", "q4_0"): 3.33,
        ("e4b", "q8_0"): 7.93,
        ("e4b", "q4_0"): 5.14,
        ("12b", "q8_0"): 12.65,
        ("12b", "q4_0"): 6.96,
        ("26b-a4b", "q8_0"): 26.84,
        ("26b-a4b", "q4_0"): 14.42,
        ("31b", "q8_0"): 32.62,
        ("31b", "q4_0"): 17.64,
    }


@pytest.mark.parametrize("name", PUBLISHED_DRAFTERS)
def test_drafters_keep_eight_bits_where_they_meet_the_target(name):
    plan = plan_gguf(PUBLISHED_DRAFTERS[name], find_recipe("q4_0"))
    found = {tensor.name: tensor.format.name for tensor in plan.text}
    assert found["nextn.pre_projection.weight"] == found["nextn.post_projection.weight"] == "Q8_0"
    assert found["token_embd.weight"] == "Q6_K"
    assert found["blk.0.ffn_up.weight"] == "Q4_0"


@pytest.mark.parametrize("name", [*PUBLISHED_MODELS])
def test_w4a16_packs_what_may_have_four_bits_and_nothing_else(name):
    planned = plan_directory(PUBLISHED_MODELS[name], find_recipe("w4a16"), "gemma4")
    counts = Counter(tensor.format for tensor in planned)
    assert set(counts) == {"W4A16", "BF16"}
    for tensor in planned:
        assert (tensor.format == "W4A16") == (tensor.entry.lowest_bits < SIX_BITS)
        assert tensor.format == "W4A16" or tensor.entry.lowest_bits <= max(SIXTEEN_BITS, 32)


def test_names_are_read_generously_and_unknown_ones_refused():
    assert find_recipe("Q4_K_M").name == "q4_k_m"
    assert find_recipe("fp16").name == "f16"
    assert find_recipe("q4-0").name == "q4_0"
    with pytest.raises(InputError, match="format 'q9' is unknown; known: f32, f16, bf16, q8_0"):
        find_recipe("q9")
    with pytest.raises(InputError, match="w4a16 is no GGUF format; give a directory"):
        plan_gguf(PUBLISHED_MODELS["e2b"], find_recipe("w4a16"))
