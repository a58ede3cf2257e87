"""A rule compiled: the grammar's text, and a matcher at its beginning that each answer takes a copy of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, regex_to_lark

from ..errors import GrammarError
from .calls import calls_rule
from .formats import Choices, Format, JsonObject, JsonSchema, Lark, Regex
from .rules import ToolRule
from .schema.findings import Findings, Loosened
from .schema.rules import Ref, Rules, Sequence, literal
from .schema.syntax import JsonSyntax
from .schema.translate import Translator

MAX_TEXT = 1_000_000
MAX_CHOICES = 10_000


@dataclass(frozen=True, slots=True)
class Compiled:
    """A grammar that answers can be held to.

    Attributes:
        matcher: at its beginning; to be copied.
        loosened: what of a schema is not enforced.
        writes_json: whether the answer may be JSON, whose texts stand between quotes.
    """

    matcher: LLMatcher
    loosened: tuple[Loosened, ...]
    writes_json: bool


class Compiler:
    """Compiles rules for one vocabulary."""

    def __init__(self, tokenizer: LLTokenizer, special_ids: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._special_ids = dict(special_ids)
        self._refusals: dict[str, str] = {}

    def compile(self, format: Format | None, tools: ToolRule | None) -> Compiled:
        """Compile what is held: a format, calls, or either of the two.

        Raises:
            GrammarError: it is malformed, too large, unsatisfiable, or cannot be enforced.
        """
        rules = Rules()
        starts: list[Sequence] = []
        loosened: tuple[Loosened, ...] = ()
        user_grammar = None
        if isinstance(format, Lark):
            user_grammar = _bounded(format.grammar)
            starts.append(("@answer",))
        elif format is not None and not (tools is not None and tools.mode == "required"):
            start, found = self._format_rule(format, rules)
            starts.append((start,))
            loosened += found
        if tools is not None and tools.offered:
            calls, found = calls_rule(
                tools, rules, special_ids=self._special_ids, refused=self._refused
            )
            starts.append((calls,))
            loosened += found
        text = rules.lark(rules.define("start", starts))
        if text is None:
            raise GrammarError("nothing satisfies the schema: it contradicts itself", pointer="")
        matcher = self._matcher(text, user_grammar)
        return Compiled(matcher, loosened, isinstance(format, JsonObject | JsonSchema))

    def _format_rule(self, format: Format, rules: Rules) -> tuple[Ref | str, tuple[Loosened, ...]]:
        match format:
            case JsonObject():
                return self._json_rule(JsonSchema({"type": "object"}), rules)
            case JsonSchema():
                return self._json_rule(format, rules)
            case Regex(pattern):
                return rules.terminal(f"/{regex_to_lark(_bounded(pattern), '')}/"), ()
            case Choices(texts):
                return _choice(texts, rules), ()
            case Lark():
                raise AssertionError("a grammar of the user's own has its own rules")

    def _json_rule(self, format: JsonSchema, rules: Rules) -> tuple[Ref, tuple[Loosened, ...]]:
        findings = Findings(strict=format.strict)
        translator = Translator(
            format.schema,
            JsonSyntax(),
            rules,
            findings,
            refused=self._refused,
            open_objects=True,
        )
        return translator.translate(), tuple(findings.loosened)

    def _matcher(self, text: str, user_grammar: str | None) -> LLMatcher:
        grammars: list[dict[str, Any]] = [{"lark_grammar": text}]
        if user_grammar is not None:
            grammars.append({"name": "answer", "lark_grammar": user_grammar})
        limits = LLParserLimits(verbose_errors=False)
        matcher = LLMatcher(
            self._tokenizer, json.dumps({"grammars": grammars}), log_level=0, limits=limits
        )
        if matcher.is_error():
            raise GrammarError(f"the grammar is refused: {first_line(matcher.get_error())}")
        first = matcher.deep_copy()
        if not any(first.compute_bitmask()):
            raise GrammarError("nothing satisfies the grammar: no token may come first")
        return matcher

    def _refused(self, lark: str) -> str:
        if lark not in self._refusals:
            matcher = LLMatcher(self._tokenizer, f"start: {lark}", log_level=0)
            problem = first_line(matcher.get_error()) if matcher.is_error() else ""
            self._refusals[lark] = problem
        return self._refusals[lark]


def first_line(message: str) -> str:
    """An error of the library in one line."""
    return " ".join(message.partition("<state>")[0].split())[:200]


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise GrammarError(f"the grammar has {len(text)} characters, the limit is {MAX_TEXT}")
    return text


def _choice(texts: tuple[str, ...], rules: Rules) -> str:
    if not texts or len(texts) > MAX_CHOICES:
        raise GrammarError(f"{len(texts)} choices; give 1 to {MAX_CHOICES}")
    _bounded("".join(texts))
    return rules.terminal(" | ".join(literal(text) for text in dict.fromkeys(texts)))
