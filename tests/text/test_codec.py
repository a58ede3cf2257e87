"""The codec gives the same answer however the text is cut into tokens."""

import random
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
from codec_cases import cases, events_of, pieces_of, run

from gemma4.text.codec.decoder import Decoder, random_call_id
from gemma4.text.codec.events import CallBroken, CallComplete, ContentPiece, Notice, ThoughtPiece
from gemma4.text.tokens.tokenizer import Tokenizer

GROUPS = ("documented", "repaired", "broken", "cut", "streams")
CASES = [
    pytest.param(case, id=f"{group}: {case['name']}") for group in GROUPS for case in cases(group)
]


@pytest.fixture(scope="module")
def byte_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids of the byte-fallback tokens `<0x00>` to `<0xFF>`."""
    first = next(id for id in range(1000) if tokenizer.token_bytes(id) == b"\x00")
    assert [tokenizer.token_bytes(first + byte)[0] for byte in range(256)] == list(range(256))
    return list(range(first, first + 256))


@pytest.mark.parametrize("case", CASES)
def test_natural_tokens_give_the_expected_answer(
    tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    ids = _ids(tokenizer, pieces_of(tokenizer, case))
    assert run(tokenizer, ids, case) == case["expect"]


@pytest.mark.parametrize("case", CASES)
def test_one_byte_per_token_gives_the_same(
    tokenizer: Tokenizer, byte_ids: list[int], case: dict[str, Any]
) -> None:
    ids: list[int] = []
    for piece in pieces_of(tokenizer, case):
        ids += [piece] if isinstance(piece, int) else [byte_ids[byte] for byte in piece.encode()]
    assert run(tokenizer, ids, case) == case["expect"]


@pytest.mark.parametrize("case", CASES)
def test_every_single_boundary_gives_the_same(tokenizer: Tokenizer, case: dict[str, Any]) -> None:
    pieces = pieces_of(tokenizer, case)
    for index, piece in enumerate(pieces):
        for cut in range(1, len(piece) if isinstance(piece, str) else 0):
            split = [*pieces[:index], piece[:cut], piece[cut:], *pieces[index + 1 :]]
            assert run(tokenizer, _ids(tokenizer, split), case) == case["expect"], split


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_random_boundaries_give_the_same(
    tokenizer: Tokenizer, case: dict[str, Any], seed: int
) -> None:
    source = random.Random(seed)
    split: list[str | int] = []
    for piece in pieces_of(tokenizer, case):
        split += [piece] if isinstance(piece, int) else _shred(piece, source)
    assert run(tokenizer, _ids(tokenizer, split), case) == case["expect"]


@pytest.mark.parametrize("case", CASES)
def test_the_table_keeps_its_promises(case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    group = request.node.callspec.id.split(":")[0]
    expect = case["expect"]
    repaired = [call for call in expect.get("calls", []) if "repaired" in call]
    if group == "documented":
        assert not repaired
        assert "broken" not in expect
    if group == "broken":
        assert expect["broken"]
    for broken in expect.get("broken", []):
        assert broken["raw"] in expect.get("content", "")
    assert len(CASES) >= 60


def test_ids_are_looked_up_by_name() -> None:
    """A reduced vocabulary with other numbers works as well."""
    vocabulary = Letters(["<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>"])
    text = '<|channel>thought\nhm\n<channel|>ok<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>'
    events = events_of(vocabulary, vocabulary.encode(text))
    assert "".join(event.text for event in events if isinstance(event, ThoughtPiece)) == "hm"
    assert "".join(event.text for event in events if isinstance(event, ContentPiece)) == "ok"
    (call,) = (event.call for event in events if isinstance(event, CallComplete))
    assert (call.name, call.arguments, call.repaired) == ("f", {"a": "x"}, ())


def test_content_comes_out_at_once(tokenizer: Tokenizer) -> None:
    decoder = Decoder(tokenizer)
    for id in tokenizer.encode("One two three."):
        assert decoder.push(id) == (ContentPiece(tokenizer.decode([id])),)
    assert decoder.finish() == ()


def test_a_character_waits_for_its_last_byte(tokenizer: Tokenizer, byte_ids: list[int]) -> None:
    decoder = Decoder(tokenizer)
    *first, last = [byte_ids[byte] for byte in "🙂".encode()]
    assert [decoder.push(id) for id in first] == [(), (), ()]
    assert decoder.push(last) == (ContentPiece("🙂"),)


def test_a_character_that_never_ends_is_replaced(tokenizer: Tokenizer, byte_ids: list[int]) -> None:
    decoder = Decoder(tokenizer)
    assert decoder.push(byte_ids[0xF0]) == ()
    assert decoder.push(tokenizer.special_ids["<turn|>"]) == (ContentPiece("\ufffd"),)
    assert decoder.push(byte_ids[0xF0]) == ()
    assert decoder.finish() == (ContentPiece("\ufffd"),)


def test_a_call_comes_out_with_its_closing_marker(tokenizer: Tokenizer) -> None:
    decoder = Decoder(tokenizer, new_call_id=lambda: "call_7")
    ids = tokenizer.encode("<|tool_call>call:f{a:1}<tool_call|>", allow_special=True)
    assert [decoder.push(id) for id in ids[:-1]] == [()] * (len(ids) - 1)
    (event,) = decoder.push(ids[-1])
    assert isinstance(event, CallComplete)
    assert (event.raw, event.declared, event.call.id) == ("call:f{a:1}", False, "call_7")


def test_call_ids_differ() -> None:
    assert len({random_call_id() for _ in range(100)}) == 100


def test_thought_tokens_are_counted_with_their_markers(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("<|channel>thought\na b\n<channel|>", allow_special=True)
    decoder = Decoder(tokenizer)
    for id in ids:
        decoder.push(id)
    assert not decoder.in_thought
    for id in tokenizer.encode("some content"):
        decoder.push(id)
    assert decoder.num_thought_tokens == len(ids)


@pytest.mark.parametrize("reason", ["length", "loop", "cancelled"])
def test_a_cut_call_says_what_cut_it(tokenizer: Tokenizer, reason: str) -> None:
    decoder = Decoder(tokenizer)
    for id in tokenizer.encode('<|tool_call>call:f{a:<|"|>x', allow_special=True):
        assert decoder.push(id) == ()
    raw = 'call:f{a:<|"|>x'
    problem = "the text of 'a' is not closed"
    assert decoder.finish(reason) == (
        CallBroken(raw=raw, problem=problem, reason=reason),
        ContentPiece(raw),
    )


@pytest.mark.parametrize(
    "text",
    [
        "<|channel>thought\n" + "word " * 60_000,
        "<|channel>thought\n" + "\n\n" * 60_000,
        "<|channel>" + "a" * 120_000,
        "<|tool_call>call:f{a:" + "x, y " * 30_000,
        "<|tool_call>call:f{" + 'a:"x,' * 20_000,
        "<|tool_call>call:f{" + "a:'x' " * 20_000,
        "<|tool_call>call:f{a:" + "} " * 50_000 + "<tool_call|>",
        "<|tool_call>call:f{" + 'a:<|"|>x' * 20_000 + "<tool_call|>",
        "<|tool_call>call:f{" + 'a:<|"|>x<|"|>}' * 20_000 + "<tool_call|>",
        "<|tool_call>call:f{a:" + "{a:" * 30_000 + "<tool_call|>",
        "<|tool_call>call:f:" + "BEGIN_ARG x " * 10_000 + "<tool_call|>",
        "<|tool_call>" + "call:f{}" * 10_000 + "<tool_call|>",
        "<|tool_call>call:f{" + " " * 100_000 + "a" + " " * 100_000 + "<tool_call|>",
        "<|tool_call>call:f(a=" + "(" * 50_000 + ")," * 50_000 + "<tool_call|>",
        "<|tool_call>call:f{a:1}" + "<|channel>" * 50_000,
        "<|channel>thought\n" + "<|tool_call>call:f{}<tool_call|> " * 10_000 + "<channel|>",
    ],
    ids=lambda text: text[:48],
)
def test_time_stays_linear(text: str) -> None:
    """Each of these took minutes if anything looked back over what came before."""
    names = ["<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>"]
    vocabulary = Letters(names)
    ids = vocabulary.encode(text)
    started = time.perf_counter()
    events_of(vocabulary, ids)
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("seed", range(300))
def test_no_stream_of_ids_raises_or_loses_a_word(tokenizer: Tokenizer, seed: int) -> None:
    source = random.Random(seed)
    special = list(tokenizer.special_ids.values())
    signs = [tokenizer.encode(sign)[0] for sign in "{}[]()<>:=,'\"`"]
    ids, words = [], []
    for _ in range(source.randrange(1, 200)):
        match source.randrange(5):
            case 0:
                ids.append(source.choice(special))
            case 1:
                ids.append(source.choice(signs))
            case 2:
                ids += tokenizer.encode(
                    source.choice(["call:", "thought\n", "BEGIN_ARG", "END_ARG"])
                )
            case 3:
                ids += tokenizer.encode(source.choice([" ", "\n", "1", "null", ",a:", "call:f{a:"]))
            case _:
                words.append(f"q{len(words)}z")
                ids += tokenizer.encode(words[-1])
    reason = source.choice(["stop", "length"])
    case = {"opens_thought": bool(seed % 3 == 0), "finish": reason}
    shown = ""
    for event in events_of(tokenizer, ids, case):
        match event:
            case ThoughtPiece(text) | ContentPiece(text):
                assert text
                shown += text
            case CallComplete(raw=raw):
                shown += raw
            case CallBroken(raw=raw, reason=why):
                assert why in ("malformed", reason)
            case Notice(message):
                shown += message if message.startswith("unknown channel") else ""
    assert [word for word in words if shown.count(word) != 1] == []


def test_random_ids_of_the_whole_vocabulary_do_no_harm(tokenizer: Tokenizer) -> None:
    source = random.Random(0)
    special = list(tokenizer.special_ids.values())
    for _ in range(100):
        ids = [
            source.choice(special)
            if source.random() < 0.2
            else source.randrange(tokenizer.vocab_size)
            for _ in range(200)
        ]
        events_of(tokenizer, ids)


class Letters:
    """A vocabulary of special tokens and single characters."""

    def __init__(self, names: list[str]) -> None:
        self.special_ids: Mapping[str, int] = {name: id for id, name in enumerate(names)}

    def token_bytes(self, id: int, /) -> bytes:
        return chr(id - len(self.special_ids)).encode()

    def encode(self, text: str) -> list[int]:
        markers = "|".join(map(re.escape, self.special_ids))
        ids: list[int] = []
        for part in re.split(f"({markers})", text):
            special = self.special_ids.get(part)
            shift = len(self.special_ids)
            ids += [ord(sign) + shift for sign in part] if special is None else [special]
        return ids


def _ids(tokenizer: Tokenizer, pieces: list[str | int]) -> list[int]:
    ids: list[int] = []
    for piece in pieces:
        ids += [piece] if isinstance(piece, int) else tokenizer.encode(piece)
    return ids


def _shred(text: str, source: random.Random) -> list[str | int]:
    parts: list[str | int] = []
    while text:
        size = source.randrange(1, 5)
        parts.append(text[:size])
        text = text[size:]
    return parts
