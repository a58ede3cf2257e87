"""Compiles rules: formats and tool calls become one grammar."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from llguidance import LLTokenizer, regex_to_lark

from ..errors import GrammarError
from .calls import calls_rule
from .formats import Choices, Format, JsonObject, JsonSchema, Lark, Regex
from .matching import Compiled, new_matcher
from .rules import ToolRule
from .schema.findings import Findings, Loosened
from .schema.rules import Ref, Rules, Sequence, literal
from .schema.syntax import JsonSyntax
from .schema.translate import Translator

NOTHING = "unsatisfiable: nothing matches it"
MAX_TEXT = 1_000_000
MAX_CHOICES = 10_000
MAX_REFUSALS = 10_000


class Compiler:
    """Compiles rules for one vocabulary."""

    def __init__(self, tokenizer: LLTokenizer, special_ids: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._special_ids = dict(special_ids)
        self._refusals: dict[str, str] = {}

    def compile(
        self, format: Format | None, tools: ToolRule | None
    ) -> tuple[Compiled, tuple[Loosened, ...]]:
        """Compile what is held: a format, calls, or either of the two.

        Returns:
            The grammar, and what of schemas it does not enforce.

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
                tools, rules, special_ids=self._special_ids, refused=self.refused
            )
            starts.append((calls,))
            loosened += found
        text = rules.lark(rules.define("start", starts))
        if text is None:
            raise GrammarError("nothing satisfies the schema: it contradicts itself", pointer="")
        grammars: list[dict[str, Any]] = [{"lark_grammar": text}]
        if user_grammar is not None:
            grammars.append({"name": "answer", "lark_grammar": user_grammar})
        new = partial(new_matcher, self._tokenizer, json.dumps({"grammars": grammars}))
        compiled = Compiled(new, writes_json=isinstance(format, JsonObject | JsonSchema))
        first = compiled.begin()
        first.compute_bitmask()
        if first.is_error():
            raise GrammarError("nothing satisfies the grammar: no token may come first")
        return compiled, loosened

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
            refused=self.refused,
            open_objects=True,
        )
        return translator.translate(), tuple(findings.loosened)

    def refused(self, lark: str) -> str:
        """Why the library refuses `%json` or a terminal, or that nothing matches it; empty if it is sound."""
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.clear()
        if lark not in self._refusals:
            is_rule = lark.startswith("%json")
            grammar = f"start: {lark}" if is_rule else f"start: T\nT: {lark}"
            self._refusals[lark] = self._problem(grammar)
        return self._refusals[lark]

    def _problem(self, grammar: str) -> str:
        try:
            matcher = new_matcher(self._tokenizer, grammar)
        except GrammarError as error:
            return str(error)
        matcher.compute_bitmask()
        return NOTHING if matcher.is_error() else ""


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise GrammarError(f"the grammar has {len(text)} characters, the limit is {MAX_TEXT}")
    return text


def _choice(texts: tuple[str, ...], rules: Rules) -> str:
    if not texts or len(texts) > MAX_CHOICES:
        raise GrammarError(f"{len(texts)} choices; give 1 to {MAX_CHOICES}")
    _bounded("".join(texts))
    return rules.terminal(" | ".join(literal(text) for text in dict.fromkeys(texts)))
