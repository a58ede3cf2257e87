"""The tokenizer: Google's file, llama.cpp's cases, plain text that stays plain, typed errors."""

import hashlib
import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.errors import CheckpointError, InputError, MessageError
from gemma4.text.tokens import packaged
from gemma4.text.tokens.tokenizer import Tokenizer, tokenizer_from_directory, tokenizer_from_json

CASES = Path(__file__).parents[1] / "data" / "tokenizer"
TEXTS = (CASES / "tokenizer_cases.inp").read_text().split("\n__ggml_vocab_test__\n")
IDS = [
    [int(id) for id in line.split()]
    for line in (CASES / "tokenizer_cases.out").read_text().split("\n")[:-1]
]
# A ▁ reads back as a space: the vocabulary has no other way to write a space.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=200)


def test_the_packaged_file_is_googles(tokenizer_json: bytes) -> None:
    assert hashlib.sha256(tokenizer_json).hexdigest().startswith("cc8d3a0ce36466ccc1278bf987df5f71")
    assert len(tokenizer_json) == 32_169_626


def test_there_are_46_cases() -> None:
    assert len(TEXTS) == len(IDS) == 46


@pytest.mark.parametrize(("text", "ids"), list(zip(TEXTS, IDS, strict=True)))
def test_llama_cpp_cases_are_exact(tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == text
    assert tokenizer.count(text) == len(ids)


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_any_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not any(tokenizer.is_special(id) for id in ids)


def test_special_tokens_are_the_24_of_gemma_4(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.special_ids) == 24
    assert tokenizer.vocab_size == 262_144
    assert tokenizer.bos_id == tokenizer.special_ids["<bos>"] == 2
    expected = {
        "<|turn>": 105,
        "<turn|>": 106,
        '<|"|>': 52,
        "<|image|>": 258_880,
        "<|video|>": 258_884,
    }
    assert {name: tokenizer.special_ids[name] for name in expected} == expected


def test_typed_control_tokens_stay_plain_text(tokenizer: Tokenizer) -> None:
    for literal in tokenizer.special_ids:
        text = f"a {literal} b"
        ids = tokenizer.encode(text)
        assert not set(ids) & set(tokenizer.special_ids.values())
        assert tokenizer.decode(ids) == text


def test_allow_special_reads_what_the_library_reads(
    tokenizer: Tokenizer, tokenizer_json: bytes
) -> None:
    oracle = tokenizers.Tokenizer.from_buffer(tokenizer_json)
    for text in [
        "<bos><|turn>user\nHi <b>there<turn|>\n<|turn>model\n",
        '<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|><|tool_response>',
        "<<|turn>> <|image|><|image><image|> <|turn <turn|> \n\n<eos>",
        "<unused1> <0x41> no special token",
    ]:
        expected = oracle.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text, allow_special=True) == expected
        assert tokenizer.decode(expected) == text


def test_skip_special_leaves_special_tokens_out(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("<|turn>model\nhi<turn|>", allow_special=True)
    assert tokenizer.decode(ids, skip_special=True) == "model\nhi"


def test_bytes_that_are_no_utf8_decode_to_replacement_characters(tokenizer: Tokenizer) -> None:
    euro = [238 + byte for byte in "€".encode()]
    assert tokenizer.token_bytes(238 + 0xE2) == b"\xe2"
    assert tokenizer.decode(euro) == "€"
    assert tokenizer.decode(euro[:2]) == "\ufffd"
    assert tokenizer.decode([*euro[:2], 107]) == "\ufffd\n"


@pytest.mark.parametrize("id", [-1, 262_144, 2**40])
def test_an_id_outside_the_vocabulary_is_refused(tokenizer: Tokenizer, id: int) -> None:
    with pytest.raises(InputError, match=rf"token id {id} is not in the vocabulary of 262144"):
        tokenizer.token_bytes(id)


def test_half_a_surrogate_pair_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(
        MessageError, match=r"character 2 of a text is U\+D83D, half of a surrogate"
    ):
        tokenizer.encode("ab\ud83d")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b'{"model": 3}', b"[]"])
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(
        CheckpointError, match=r"^x\.json is no readable tokenizer\.json: "
    ) as caught:
        tokenizer_from_json(data, origin="x.json")
    assert "\n" not in str(caught.value)


def test_another_kind_of_tokenizer_is_refused() -> None:
    word_level = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    with pytest.raises(CheckpointError, match="holds a WordLevel tokenizer; Gemma's are BPE"):
        tokenizer_from_json(word_level.to_str().encode(), origin="x.json")


def test_a_bpe_that_loses_text_is_refused() -> None:
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE({"<unk>": 0, "a": 1}, [], unk_token="<unk>"))
    bpe.add_special_tokens(["<bos>"])
    with pytest.raises(CheckpointError, match="only Gemma's BPE"):
        tokenizer_from_json(bpe.to_str().encode(), origin="x.json")


def test_a_tokenizer_without_bos_is_refused() -> None:
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE({"<unk>": 0, "a": 1}, [], unk_token="<unk>"))
    with pytest.raises(CheckpointError, match=r"x\.json has no special token <bos>"):
        tokenizer_from_json(bpe.to_str().encode(), origin="x.json")


def test_a_directory_without_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*tokenizer\.json: No such file"):
        tokenizer_from_directory(tmp_path)


def test_padding_and_truncation_in_the_file_are_switched_off(tmp_path: Path) -> None:
    """A saved training tokenizer may carry both; prompts must never be cut or padded by it."""
    vocab = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}}
    bpe = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab, [], unk_token="<unk>", byte_fallback=True)
    )
    bpe.add_special_tokens(["<bos>"])
    bpe.enable_truncation(2)
    bpe.enable_padding(length=8)
    (tmp_path / "tokenizer.json").write_text(bpe.to_str())
    assert tokenizer_from_directory(tmp_path).count("abc") == 3


def test_a_damaged_packaged_file_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"the packaged tokenizer is damaged: .*; reinstall"):
        packaged.unpack(b"no xz")
    other = packaged.lzma.compress(json.dumps({}).encode())
    with pytest.raises(CheckpointError, match="has SHA-256 44136fa355b3…, not cc8d3a0ce364…"):
        packaged.unpack(other)
