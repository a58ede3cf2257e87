"""A lexer that broke under one answer breaks it for no other."""

from functools import partial

import pytest
from llguidance import LLMatcher, LLParserLimits
from schema_acceptance import SchemaGrammar, byte_tokenizer

from gemma4.errors import GrammarError
from gemma4.grammar.matching import Compiled

HARD = {"patternProperties": {"[0-9]{2,}": {"type": "boolean"}, "X_": {"type": "string"}}}
LITTLE = LLParserLimits(step_lexer_fuel=3000)  # enough for a list, too little for those names


def follow(matcher: LLMatcher, ids: list[int]) -> int:
    """How many tokens may come."""
    for count, id in enumerate(ids):
        matcher.compute_bitmask()
        if matcher.is_error() or not matcher.consume_token(id):
            return count
    return len(ids)


def test_others_go_on_with_a_lexer_of_their_own() -> None:
    lark = SchemaGrammar(HARD, "gemma").lark
    new = partial(LLMatcher, byte_tokenizer(), lark, log_level=0, limits=LITTLE)
    compiled = Compiled(new, writes_json=False)
    easy, hard = list(b"[1,2]"), list(b"{a31b:true}")
    guilty, innocent = compiled.begin(), compiled.begin()
    assert follow(innocent, easy[:2]) == 2
    broke_at = follow(guilty, hard)
    assert guilty.is_error()
    assert follow(innocent, easy[2:]) < 3  # copies share their lexer
    assert follow(compiled.begin_anew(easy[:2]), easy[2:]) == 3
    with pytest.raises(GrammarError, match="cannot be followed any further"):
        compiled.begin_anew(hard[: broke_at + 1])
    assert follow(compiled.begin(), easy) == 5


def test_within_our_limits_it_does_not_break() -> None:
    grammar = SchemaGrammar(HARD, "gemma")
    assert grammar.accepts({"a31b": True})
    assert not grammar.accepts({"a31b": 1})
