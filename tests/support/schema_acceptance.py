"""Whether the grammar of a schema takes a value, in JSON and in Gemma's syntax, byte by byte.

Members have a fixed order in a grammar; a value is accepted if it is in any order.
"""

import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from llguidance import LLTokenizer, TokenizerWrapper

from gemma4.grammar.compiler import Compiler
from gemma4.grammar.matching import new_matcher
from gemma4.grammar.schema.findings import Findings
from gemma4.grammar.schema.literals import number_text
from gemma4.grammar.schema.rules import Rules
from gemma4.grammar.schema.syntax import GemmaSyntax, JsonSyntax, Syntax
from gemma4.grammar.schema.translate import Translator
from gemma4.text.codec.tool_syntax import is_bare_key

DELIMITER, END = 256, 257
_MOST_ORDERS = 3000


class _Bytes:
    """A vocabulary of the 256 bytes, the delimiter and an end."""

    bos_token_id = eos_token_id = END
    tokens = [bytes([value]) for value in range(256)] + [b'<|"|>', b"<end>"]
    special_token_ids = [DELIMITER, END]  # noqa: RUF012

    def __call__(self, text: bytes) -> list[int]:
        return list(text)


@cache
def byte_tokenizer() -> LLTokenizer:
    """Of that vocabulary."""
    return LLTokenizer(TokenizerWrapper(_Bytes()))


@cache
def byte_compiler() -> Compiler:
    """Over that vocabulary."""
    return Compiler(byte_tokenizer(), {'<|"|>': DELIMITER})


class SchemaGrammar:
    """The grammar of a schema in one syntax; every object is open where the schema leaves it so."""

    def __init__(self, schema: Any, syntax: str, *, strict: bool = True) -> None:
        self.syntax = syntax
        self.findings = Findings(strict=strict)
        rules = Rules()
        writer: Syntax = JsonSyntax() if syntax == "json" else GemmaSyntax(DELIMITER)
        refused = byte_compiler().refused
        start = Translator(
            schema, writer, rules, self.findings, refused=refused, open_objects=True
        ).translate()
        self.lark = rules.lark(rules.define("start", [(start,)]))
        if self.lark is None:
            return
        self.matcher = new_matcher(byte_tokenizer(), self.lark)

    def accepts(self, value: Any) -> bool:
        """Whether the value is taken, its members in some order."""
        return self.lark is not None and any(
            self._takes(ids) for ids in itertools.islice(_orders(value, self.syntax), _MOST_ORDERS)
        )

    def _takes(self, ids: list[int]) -> bool:
        matcher = self.matcher.deep_copy()
        for id in ids:
            matcher.compute_bitmask()
            assert not matcher.is_error(), matcher.get_error()
            if not matcher.consume_token(id):
                return False
        return matcher.is_accepting()


def _orders(value: Any, syntax: str) -> Iterator[list[int]]:
    """The value's ids, for each order of its members."""
    match value:
        case dict():
            for items in itertools.permutations(value.items()):
                ways = (list(_orders(inner, syntax)) for _, inner in items)
                for chosen in itertools.product(*ways):
                    parts = [
                        _key(key, syntax) + ids for (key, _), ids in zip(items, chosen, strict=True)
                    ]
                    yield _joined(b"{", parts, b"}")
        case list():
            for chosen in itertools.product(*(list(_orders(item, syntax)) for item in value)):
                yield _joined(b"[", list(chosen), b"]")
        case str():
            yield _text(value, syntax)
        case bool() | None:
            yield list(json.dumps(value).encode())
        case _:
            yield list(number_text(value).encode())


def _text(text: str, syntax: str) -> list[int]:
    if syntax == "json":
        return list(json.dumps(text, ensure_ascii=False).encode())
    return [DELIMITER, *text.encode(), DELIMITER]


def _key(name: str, syntax: str) -> list[int]:
    if syntax == "gemma" and is_bare_key(name):
        return list(f"{name}:".encode())
    return [*_text(name, syntax), ord(":")]


def _joined(begin: bytes, parts: list[list[int]], end: bytes) -> list[int]:
    inner = [id for part in parts for id in (ord(","), *part)][1:]
    return [*begin, *inner, *end]
