"""A tokenizer.json goes into GGUF keys, and the tokenizer made of these gives the same ids."""

import json

import pytest

from gemma4.errors import CheckpointError
from gemma4.text.tokens.tokenizer import tokenizer_from_json
from gemma4.text.tokens.tokenizer_gguf import TokenType, tokenizer_from_gguf
from gemma4.text.tokens.vocabulary_gguf import vocabulary_metadata

SIZE = 262_144
TEXTS = (
    "The quick brown fox — naïve café, 東京, Москва, 😀👩‍👩‍👧, a\n\n\n b\t\tc",
    "\n" * 40 + " " * 70 + "\t" * 50,
    "if x:\n        return  {'a': [1, 2, 3.5e-7]}  # ok\r\n",
    "<table><tr><td>1</td></tr></table> <|turn>user",
    "\u0000\u0007\ufeff\u200b\U0010fffd",
)


def small(**changes):
    """A byte-pair encoding of a few letters, with a special word and an ordinary one."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += ["a", "b", "c", "▁", "ab", "bc", "abc", "▁a", "▁▁", "▁▁▁▁"]
    merges = [
        ["▁▁", "▁▁"],
        ["▁", "▁"],
        ["a", "b"],
        ["b", "c"],
        ["ab", "c"],
        ["a", "bc"],
        ["▁", "a"],
    ]
    added = [
        {"id": id, "content": piece, "special": True, "normalized": False, "single_word": False,
         "lstrip": False, "rstrip": False}
        for id, piece in enumerate(pieces[:4])
    ]  # fmt: skip
    spaces = pieces.index("▁▁▁▁")
    added.append({**added[0], "id": spaces, "content": "▁▁▁▁", "special": False})
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: id for id, piece in enumerate(pieces)},
            "merges": merges,
        },
    } | changes


def metadata_of(content, kind="llama", size=None):
    size = len(content["model"]["vocab"]) if size is None else size
    data = json.dumps(content).encode()
    return vocabulary_metadata(data, kind=kind, vocab_size=size, origin="here")


@pytest.fixture(scope="module")
def packaged(tokenizer_json):
    """Gemma 4's keys."""
    return vocabulary_metadata(tokenizer_json, kind="gemma4", vocab_size=SIZE, origin="here")


def test_gemma4_ids_are_those_of_the_json(packaged, tokenizer):
    again = tokenizer_from_gguf(packaged)
    assert again.special_ids == tokenizer.special_ids
    for text in TEXTS:
        for special in (False, True):
            assert again.encode(text, allow_special=special) == tokenizer.encode(
                text, allow_special=special
            )


def test_what_llama_cpp_asks_for_is_there(packaged):
    types = packaged["tokenizer.ggml.token_type"]
    assert len(types) == len(packaged["tokenizer.ggml.scores"]) == SIZE
    assert len(packaged["tokenizer.ggml.tokens"]) == SIZE
    assert packaged["tokenizer.ggml.add_bos_token"] is True
    assert packaged["tokenizer.ggml.add_space_prefix"] is False
    assert packaged["tokenizer.ggml.unknown_token_id"] == 3
    user_defined = [id for id, kind in enumerate(types) if kind == TokenType.USER_DEFINED]
    assert user_defined == [48, 49, 50, 51, 52, 100, 101]  # what its converter makes visible
    assert types.count(TokenType.BYTE) == 256
    assert types.count(TokenType.CONTROL) == 17


def test_scores_bring_the_pieces_of_gemma3_together_in_the_same_order():
    content = small()
    plain = tokenizer_from_json(json.dumps(content).encode(), origin="here")
    keys = metadata_of(content)
    again = tokenizer_from_gguf(keys)
    assert keys["tokenizer.ggml.tokens"][-1] == "    "  # user-defined pieces stand as they read
    for text in ("abc", "aabbcc", "a b c", " abcabc", "cab abc", "      a", "x é"):
        assert again.encode(text) == plain.encode(text), text


def test_a_larger_embedding_is_filled_up_and_special_tokens_beyond_it_left_out():
    content = small()
    count = len(content["model"]["vocab"])
    keys = metadata_of(content, size=count + 3)
    assert keys["tokenizer.ggml.tokens"][-1] == f"[UNUSED{count + 2}]"
    assert keys["tokenizer.ggml.token_type"][-3:] == [TokenType.UNUSED] * 3
    beyond = {**content["added_tokens"][0], "id": count, "content": "<image>"}
    keys = metadata_of(small(added_tokens=[*content["added_tokens"], beyond]), size=count)
    assert "<image>" not in keys["tokenizer.ggml.tokens"]


def test_an_ordinary_piece_beyond_the_embedding_is_refused():
    content = small()
    count = len(content["model"]["vocab"])
    with pytest.raises(CheckpointError, match=rf"'▁▁' with id {count - 2}, but the model has"):
        metadata_of(content, size=count - 2)


def test_merges_may_be_written_as_one_string_but_must_be_pairs():
    content = small()
    joined = {**content["model"], "merges": [" ".join(m) for m in content["model"]["merges"]]}
    assert metadata_of(small(model=joined)) == metadata_of(content)
    broken = {**content["model"], "merges": ["alone"]}
    with pytest.raises(CheckpointError, match="here has a merge 'alone'; it must be two pieces"):
        metadata_of(small(model=broken))
    with pytest.raises(CheckpointError, match="here holds a Unigram tokenizer; Gemma's are BPE"):
        metadata_of(small(model={"type": "Unigram"}), size=1)


def test_a_tokenizer_gives_back_its_json(tokenizer):
    again = tokenizer_from_json(tokenizer.to_json(), origin="again")
    assert [again.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]
