"""Files that `gemma4 quantize` writes run in llama.cpp, with our favourites (goldens; tests/data/agreement).

The files are not compared byte for byte: sums of 32 floats may round otherwise on another processor.
"""

import json

import numpy as np
import pytest
from peer_scores import DATA, TINY_TEXT, load_float32, scores_of
from tiny_gguf_full import MODELS, write_full_gguf

from gemma4.cli import main
from gemma4.text.tokens.tokenizer_gguf import tokenizer_from_gguf
from gemma4.text.tokens.vocabulary_gguf import vocabulary_metadata
from gemma4.weights.gguf.source import open_gguf_source

FORMATS = ("q8_0", "q4_0", "q4_k_m", "q6_k")


@pytest.fixture(scope="module")
def goldens():
    """What llama.cpp gave, by model and format."""
    return json.loads((DATA / "quantized.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("kind", MODELS)
def test_llama_cpp_has_the_same_favourites(goldens, kind, to, tmp_path):
    source = write_full_gguf(kind, tmp_path / "source.gguf")
    path = tmp_path / "m.gguf"
    words = ["quantize", str(source), "--to", to, "-o", str(path), "--no-compare", "-q"]
    assert main(words, {}) == 0
    ours = scores_of(load_float32(path).logits(TINY_TEXT), TINY_TEXT).best
    golden = goldens[f"{kind} {to}"]
    # float32 on both sides but for llama.cpp's half-precision GELU, which now and then tips a tie.
    assert np.mean(ours == golden["best_float32"]) >= 0.97
    # With its activations rounded to 8 bits it leaves its own float32 answer, these models being
    # random. We must be no further from it than it is itself.
    its_own = np.mean(np.equal(golden["best_float32"], golden["best_rounded"]))
    assert np.mean(ours == golden["best_rounded"]) >= its_own - 0.03


@pytest.mark.weights
def test_the_real_270m_in_its_own_mixture_is_copied_bit_for_bit(gemma3_270m_path, tmp_path):
    """Every tensor gets the format that `llama-quantize` gave it, so none is encoded again."""
    path = tmp_path / "m.gguf"
    words = ["quantize", str(gemma3_270m_path), "--to", "q4_k_m", "-o", str(path)]
    assert main([*words, "--no-compare", "-q"], {}) == 0
    theirs, ours = open_gguf_source(gemma3_270m_path), open_gguf_source(path)
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert ours.tensors[name].format is tensor.format
        assert np.array_equal(ours.tensors[name].data, tensor.data), name  # bytes, exact
    for key, value in theirs.metadata.items():
        assert ours.metadata[key] == value, key


@pytest.mark.weights
def test_the_real_vocabulary_goes_through_a_directory(gemma3_270m_path):
    """Scores to merges to scores: the ids of a text stay the same."""
    metadata = open_gguf_source(gemma3_270m_path).metadata
    first = tokenizer_from_gguf(metadata)
    size = len(metadata["tokenizer.ggml.tokens"])
    keys = vocabulary_metadata(first.to_json(), kind="llama", vocab_size=size, origin="here")
    spelled = [token.replace(" ", "▁") for token in metadata["tokenizer.ggml.tokens"]]
    assert [token.replace(" ", "▁") for token in keys["tokenizer.ggml.tokens"]] == spelled
    second = tokenizer_from_gguf(keys)
    text = (DATA / "prose.txt").read_text(encoding="utf-8") + "\n\n\t  <table> 東京 🙂 naïve\n" * 9
    assert second.encode(text) == first.encode(text)
