"""Tiny random Gemma 4 files give the tokens that llama.cpp gave (goldens; see tests/data/agreement)."""

import json

import numpy as np
import pytest
from peer_scores import (
    DATA,
    QUANTIZED,
    STEPS,
    TINY_PROMPT,
    TINY_TEXT,
    digest_of,
    greedy_ids,
    load_float32,
    scores_of,
)
from tiny_gguf_full import MODELS, write_full_gguf

FILES = [(kind, encoding) for kind in MODELS for encoding in ("F32", *QUANTIZED)]


@pytest.fixture(scope="module")
def goldens():
    """What llama.cpp gave, by model and encoding."""
    return json.loads((DATA / "tiny.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "encoding"), FILES)
def test_a_file_is_byte_for_byte_the_one_llama_cpp_read(goldens, kind, encoding, tmp_path):
    path = write_full_gguf(kind, tmp_path / "m.gguf", encoding)
    assert digest_of(path) == goldens[f"{kind} {encoding}"]["sha256"]


@pytest.mark.parametrize("kind", MODELS)
def test_greedy_tokens_are_those_of_llama_cpp(goldens, kind, tmp_path):
    expected = goldens[f"{kind} F32"]["greedy"]
    assert len(expected) == STEPS
    assert len(set(expected)) > 20  # a sentence of one word would prove little
    llm = load_float32(write_full_gguf(kind, tmp_path / "m.gguf"))
    assert greedy_ids(llm, TINY_PROMPT, STEPS) == expected


@pytest.mark.parametrize("kind", MODELS)
def test_losses_are_those_of_llama_cpp(goldens, kind, tmp_path):
    """Greedy tokens alone would not feel the cap on the logits, which keeps their order."""
    llm = load_float32(write_full_gguf(kind, tmp_path / "m.gguf"))
    ours = scores_of(llm.logits(TINY_TEXT), TINY_TEXT)
    difference = np.abs(ours.loss - np.array(goldens[f"{kind} F32"]["loss_float32"]))
    # float32 on both sides but for llama.cpp's half-precision GELU; found: 0.022 and 0.0021.
    assert difference.max() < 0.05
    assert difference.mean() < 0.004


@pytest.mark.parametrize(("kind", "encoding"), [file for file in FILES if file[1] != "F32"])
def test_quantized_weights_are_those_of_llama_cpp(goldens, kind, encoding, tmp_path):
    golden = goldens[f"{kind} {encoding}"]
    llm = load_float32(write_full_gguf(kind, tmp_path / "m.gguf", encoding))
    ours = scores_of(llm.logits(TINY_TEXT), TINY_TEXT)
    # float32 on both sides but for llama.cpp's half-precision GELU, which now and then tips a tie.
    # Found: 99.6 % or more; losses within 0.0026 in the mean, within 0.17 where an expert changed places.
    assert np.mean(ours.best == golden["best_float32"]) >= 0.985
    difference = np.abs(ours.loss - np.array(golden["loss_float32"]))
    assert difference.max() < (0.3 if kind == "moe" else 0.05)
    assert difference.mean() < 0.004
    # With its activations rounded to 8 bits llama.cpp leaves its own float32 answer: by 12 to 64 % of
    # the favourites, these models being random. We must be no further from it than it is itself.
    its_own = np.mean(np.equal(golden["best_float32"], golden["best_rounded"]))
    assert np.mean(ours.best == golden["best_rounded"]) >= its_own - 0.02
