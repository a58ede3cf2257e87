"""A tokenizer built from GGUF metadata gives the ids of `tokenizer.json`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.errors import CheckpointError
from gemma4.text.tokens.tokenizer import Tokenizer
from gemma4.text.tokens.tokenizer_gguf import TokenType, tokenizer_from_gguf

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
TEXTS = [
    "The quick brown fox — naïve café, 東京, Москва, 😀👩‍👩‍👧, a\n\n\n b\t\tc",
    "\n" * 40 + " " * 70 + "\t" * 50,
    "if x:\n        return  {'a': [1, 2, 3.5e-7]}  # ok\r\n",
    "<table><tr><td>1</td></tr></table>",
    "\u0000\u0007\ufeff\u200b\U0010fffd",
]


@pytest.fixture(scope="module")
def arrays(tokenizer_json: bytes) -> dict[str, Any]:
    """Gemma 4's own metadata, as llama.cpp's converter writes it."""
    parsed = json.loads(tokenizer_json)
    vocab = parsed["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.__getitem__)
    types = [TokenType.NORMAL] * len(tokens)
    for id in range(238, 238 + 256):
        types[id] = TokenType.BYTE
    for token in parsed["added_tokens"]:
        user_defined = token["id"] in (48, 49, 50, 51, 52, 100, 101)
        types[token["id"]] = TokenType.USER_DEFINED if user_defined else TokenType.CONTROL
    return {
        "tokenizer.ggml.model": "gemma4",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [int(kind) for kind in types],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in parsed["model"]["merges"]],
    }


@pytest.fixture(scope="module")
def from_gguf(arrays: dict[str, Any]) -> Tokenizer:
    return tokenizer_from_gguf(arrays)


def test_ids_equal_those_of_tokenizer_json(tokenizer: Tokenizer, from_gguf: Tokenizer) -> None:
    assert from_gguf.special_ids == tokenizer.special_ids
    assert from_gguf.vocab_size == tokenizer.vocab_size
    for text in TEXTS:
        assert from_gguf.encode(text) == tokenizer.encode(text)


@settings(max_examples=200, deadline=None)
@given(text=TEXT)
def test_ids_of_any_text_are_equal(tokenizer: Tokenizer, from_gguf: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert from_gguf.encode(text) == ids
    assert from_gguf.decode(ids) == tokenizer.decode(ids)


def small_gemma3() -> dict[str, Any]:
    """Scores instead of merges: "ab" is worth more than "bc", and newlines join before all else."""
    pieces: list[tuple[str, TokenType, float]] = [("<bos>", TokenType.CONTROL, -1000.0)]
    pieces += [
        ("<unk>", TokenType.CONTROL, -1000.0),
        ("<start_of_turn>", TokenType.CONTROL, -1000.0),
    ]
    pieces += [(f"<0x{byte:02X}>", TokenType.BYTE, 0.0) for byte in range(256)]
    pieces += [("ab", TokenType.NORMAL, -1.0), ("bc", TokenType.NORMAL, -2.0)]
    pieces += [("abc", TokenType.NORMAL, -3.0), ("bcd", TokenType.NORMAL, -4.0)]
    pieces += [(letter, TokenType.NORMAL, -9.0) for letter in "abcd▁"]
    pieces += [("\n", TokenType.USER_DEFINED, -1000.0), ("\n\n", TokenType.USER_DEFINED, -1000.0)]
    pieces += [
        ("  ", TokenType.USER_DEFINED, -1000.0),
        ("<table>", TokenType.USER_DEFINED, -1000.0),
    ]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [piece for piece, _, _ in pieces],
        "tokenizer.ggml.token_type": [int(kind) for _, kind, _ in pieces],
        "tokenizer.ggml.scores": [score for _, _, score in pieces],
    }


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("abcd", ["abc", "d"]),  # "ab" first, then "abc"; so never "a" + "bcd"
        ("bcd", ["bcd"]),
        ("a  b", ["a", "  ", "b"]),
        ("\n\n\na", ["\n\n", "\n", "a"]),
        ("a<table>b", ["a", "<table>", "b"]),  # user-defined words are found in plain text
    ],
)
def test_merges_follow_from_scores(text: str, pieces: list[str]) -> None:
    tokenizer = tokenizer_from_gguf(small_gemma3())
    assert [tokenizer.decode([id]) for id in tokenizer.encode(text)] == pieces


def test_control_tokens_of_gemma_3_are_special() -> None:
    tokenizer = tokenizer_from_gguf(small_gemma3())
    assert set(tokenizer.special_ids) == {"<bos>", "<unk>", "<start_of_turn>"}
    assert tokenizer.special_ids["<start_of_turn>"] not in tokenizer.encode("<start_of_turn>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.ggml.model": "gpt2"}, 'tokenizer.ggml.model "gpt2"; Gemma files say'),
        ({"tokenizer.ggml.tokens": None}, "has no tokenizer.ggml.tokens"),
        ({"tokenizer.ggml.tokens": "abc"}, "tokens is str, not an array"),
        ({"tokenizer.ggml.scores": [0.0]}, "tokens but 1 entries in tokenizer.ggml.scores"),
        ({"tokenizer.ggml.token_type": [1]}, "tokens but 1 entries in tokenizer.ggml.token_type"),
    ],
)
def test_contradictory_metadata_is_refused(change: dict[str, Any], message: str) -> None:
    metadata = {k: v for k, v in (small_gemma3() | change).items() if v is not None}
    with pytest.raises(CheckpointError, match=message):
        tokenizer_from_gguf(metadata)


def test_repeated_tokens_and_bad_merges_are_refused() -> None:
    metadata = small_gemma3() | {"tokenizer.ggml.model": "gemma4"}
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.ggml\.merges"):
        tokenizer_from_gguf(metadata)
    with pytest.raises(CheckpointError, match="has a merge 'ab'; it must be two tokens"):
        tokenizer_from_gguf(metadata | {"tokenizer.ggml.merges": ["ab"]})
    with pytest.raises(CheckpointError, match="has merges that do not fit its tokens"):
        tokenizer_from_gguf(metadata | {"tokenizer.ggml.merges": ["a zzz"]})
    tokens = [*metadata["tokenizer.ggml.tokens"][:-1], "ab"]
    with pytest.raises(CheckpointError, match="repeats 1 of its token names"):
        tokenizer_from_gguf(
            metadata | {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": []}
        )
