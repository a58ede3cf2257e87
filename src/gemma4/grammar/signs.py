"""Masks and ids of a vocabulary that constraints ask for again and again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from llguidance import LLTokenizer

from .masks import Bits, bits_of


@dataclass(frozen=True, slots=True)
class Signs:
    """Of one vocabulary.

    Attributes:
        stop_ids: that end an answer; `stops` is their mask.
        openers: tokens with an opening bracket in them.
        closers, comma, quote: the tokens that are just `]` or `}`, `,` and `"`.
        specials: ids of special tokens by name.
    """

    stop_ids: frozenset[int]
    stops: Bits
    openers: Bits
    closers: Bits
    comma: Bits
    quote: Bits
    specials: Mapping[str, int]


def read_signs(
    library: LLTokenizer, specials: Mapping[str, int], stop_ids: Collection[int], vocab_size: int
) -> Signs:
    """Look through all tokens once."""
    contents = {
        id: library.decode_bytes([id])
        for id in range(library.vocab_size)
        if not library.is_special_token(id)
    }

    def spelling(*texts: bytes) -> Bits:
        return bits_of((id for id, content in contents.items() if content in texts), vocab_size)

    opening = (id for id, content in contents.items() if b"{" in content or b"[" in content)
    return Signs(
        stop_ids=frozenset(stop_ids),
        stops=bits_of(stop_ids, vocab_size),
        openers=bits_of(opening, vocab_size),
        closers=spelling(b"]", b"}"),
        comma=spelling(b","),
        quote=spelling(b'"'),
        specials=specials,
    )
