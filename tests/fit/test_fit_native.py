"""What native kernels take: matrices as they lie, buffers one by one, and nothing that `load` does not do."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from native_models import SIZES, random_model
from native_products import native
from quantized_models import written
from tiny_models import TARGETS, save_tiny

from gemma4.config import plan_kv_groups
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.fit import (
    StoredWeights,
    estimate_stored_weights,
    estimate_weights,
    find_quantization,
)
from gemma4.fit.counts import Role
from gemma4.fit.native import KEPT_FORMATS, copied_when_packed, native_kv_dtype, row_numbers
from gemma4.model.gemma4 import build_model
from gemma4.model.native import NativeDecoder
from gemma4.model.native.towers import kept_media
from gemma4.model.paged_kv import PageStorage
from gemma4.quant import FORMATS, MappedEmbedding
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.plan import plan_gguf
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.stored_weights import stored_weights

ROWS = 64


def test_what_is_kept_is_what_the_kernels_have_formats_for() -> None:
    formats = native().module.Format
    assert FORMATS.keys() & set(dir(formats)) == KEPT_FORMATS


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_keys_and_values_are_half_precision_where_both_are_normed(name: str) -> None:
    wanted = "bfloat16" if name.startswith("gemma3") else "float16"
    assert native_kv_dtype(PUBLISHED_MODELS[name].text) == wanted


@pytest.mark.parametrize(
    ("role", "encoding", "copied"),
    [
        (Role.LINEAR, "Q4_0", 0),
        (Role.EMBEDDING, "Q6_K", 0),
        (Role.EXPERTS, "Q8_0", 0),
        (Role.ROUTER, "F32", 0),
        (Role.LINEAR, "Q3_K", None),
        (Role.VECTOR, "BF16", None),
        (Role.LINEAR, "W4A16", 0),
        (Role.EXPERTS, "W4A16", 100),
        (Role.EMBEDDING, "W4A16", None),
    ],
)
def test_a_tensor_is_read_as_it_lies_or_expanded(
    role: Role, encoding: str, copied: int | None
) -> None:
    assert copied_when_packed(role, encoding, 100) == copied


@pytest.mark.parametrize("name", ["12b", "26b-a4b", "31b", "e2b"])
@pytest.mark.parametrize(
    ("quantization", "tolerance"), [("q4_0", 0.01), ("q8_0", 0.01), ("q4_k_m", 0.06)]
)
def test_published_sizes_are_those_of_the_files_that_quantize_writes(
    name: str, quantization: str, tolerance: float
) -> None:
    """Relative. A mixture is an average, which 26B-A4B's odd rows exceed; its plain formats are exact.

    E2B's projection of per-layer inputs keeps 16 bits and its table 6, so the table is left out.
    """
    config = PUBLISHED_MODELS[name]
    weights = estimate_weights(config, find_quantization(quantization), "float32", native=True)
    planned = plan_gguf(config, find_recipe(quantization)).text
    kept = [tensor for tensor in planned if "per_layer_" not in tensor.name]
    projection = (
        weights.text_bytes if name != "e2b" else weights.text_bytes - 8960 * 1536 * 18 // 32
    )
    assert projection == pytest.approx(sum(tensor.nbytes for tensor in kept), rel=tolerance)
    assert weights.text_copied_bytes == 0


@pytest.mark.parametrize("size", SIZES)
def test_rows_of_the_buffers_are_those_that_a_decoder_has(size: str) -> None:
    """A buffer more or less for plain norms (none of E2B's needs one) is within 12 %."""
    model = random_model(size)
    groups = plan_kv_groups(model.decoder.specs)
    storage = PageStorage(
        groups, [8] * len(groups), dtype=torch.float16, device=torch.device("cpu")
    )
    decoder = NativeDecoder(model, storage, native(), tokens=ROWS)
    specs = model.decoder.specs[: model.config.text.first_shared_layer]
    made = sum(buffer.shape[1] for buffer in decoder._body._floats.values())
    assert row_numbers(model.config.text, specs) == pytest.approx(made, rel=0.12)


def test_pages_of_the_per_layer_table_are_let_go_again_and_again() -> None:
    """Else a long prompt brings the whole table into memory, which no estimate counts."""

    class Table:
        shape, encoding, nbytes = (512, 64), "F32", 512 * 64 * 4
        times = 0

        def let_go(self) -> None:
            self.times += 1

    table = Table()
    decoder = NativeDecoder.__new__(NativeDecoder)
    decoder._looked_up = 0
    embedding = MappedEmbedding(table, torch.float32)
    decoder._decoder = SimpleNamespace(embed_tokens_per_layer=embedding)
    for tokens, times in ((200, 0), (100, 1), (1, 1), (512, 2)):
        decoder._let_go_table(tokens)
        assert table.times == times
    decoder._decoder = SimpleNamespace()  # of the larger sizes, which have none
    decoder._let_go_table(1000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recipe", ["bf16", "q8_0", "q4_0", "w4a16"])
def test_bytes_taken_anew_are_those_that_loading_reports(
    size: str, recipe: str, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(written(size, recipe, tmp_path))
    weights = estimate_stored_weights(stored_weights(checkpoint), "float32", native=True)
    model = build_model(checkpoint.config)
    report = load_weights(model, checkpoint, dtype=torch.float32, keep_blocks=True)
    assert weights.copied_bytes == report.memory_bytes
    assert weights.file_bytes == report.file_bytes
    assert (report.memory_bytes > 0) == (recipe == "w4a16")  # its vectors and embedding are float32


@pytest.mark.parametrize("kind", TARGETS)
def test_towers_are_counted_as_loading_leaves_them(kind: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(save_tiny(kind, tmp_path, dtype=torch.bfloat16))
    weights = estimate_stored_weights(stored_weights(checkpoint), "float32", native=True)
    model = build_model(checkpoint.config)
    report = load_weights(
        model,
        checkpoint,
        dtype=torch.float32,
        keep_blocks=True,
        keep_media=kept_media(checkpoint.config),
    )
    assert weights.copied_bytes == report.memory_bytes
    some_stays = weights.media_bytes > weights.media_copied_bytes
    assert some_stays == bool(kept_media(checkpoint.config))  # the widths of tiny towers are odd


def test_what_the_kernels_do_not_read_is_expanded_to_float32() -> None:
    stored = [
        StoredWeights(name="model.language_model.a", encoding="Q3_K", num_elements=256, nbytes=110),
        StoredWeights(name="b", encoding="Q4_0", num_elements=32, nbytes=18, packed_copy_bytes=0),
    ]
    weights = estimate_stored_weights(stored, "float32", native=True)
    assert (weights.text_bytes, weights.text_copied_bytes) == (256 * 4 + 18, 256 * 4)
    off = estimate_stored_weights(stored, "bfloat16")
    assert off.copied_bytes == off.text_bytes == 2 * (256 + 32)
