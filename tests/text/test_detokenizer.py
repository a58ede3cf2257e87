"""Pieces of text given out as ids arrive, joined, are the text of all ids."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.text.tokens.detokenizer import Detokenizer
from gemma4.text.tokens.tokenizer import Tokenizer

# Byte tokens (238…493) and special tokens far more often than chance would bring them.
IDS = st.lists(
    st.integers(238, 493) | st.integers(0, 262_143) | st.sampled_from([2, 105, 106, 52, 100]),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(ids=IDS, skip_special=st.booleans())
def test_pieces_joined_equal_the_whole(
    tokenizer: Tokenizer, ids: list[int], skip_special: bool
) -> None:
    stream = Detokenizer(tokenizer, skip_special=skip_special)
    pieces = [stream.push(id) for id in ids]
    assert "".join(pieces) + stream.finish() == tokenizer.decode(ids, skip_special=skip_special)


def test_a_character_waits_for_its_last_byte(tokenizer: Tokenizer) -> None:
    stream = Detokenizer(tokenizer)
    assert [stream.push(238 + byte) for byte in "🙂".encode()] == ["", "", "", "🙂"]
    assert stream.finish() == ""


def test_an_unfinished_character_ends_as_a_replacement(tokenizer: Tokenizer) -> None:
    stream = Detokenizer(tokenizer)
    assert stream.feed([238 + 0xF0, 238 + 0x9F]) == ""
    assert stream.finish() == "\ufffd"


def test_a_broken_character_does_not_swallow_what_follows(tokenizer: Tokenizer) -> None:
    stream = Detokenizer(tokenizer)
    assert stream.feed([238 + 0xE2, *tokenizer.encode("ok")]) == "\ufffdok"
