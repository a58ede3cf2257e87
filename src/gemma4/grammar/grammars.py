"""The grammars of one loaded model: what is compiled once and shared by all its requests."""

import json
from collections import OrderedDict
from collections.abc import Collection
from functools import partial
from threading import Lock
from typing import Any, Final

from llguidance import LLTokenizer

from ..text.tokens.tokenizer import Tokenizer
from .compiler import Compiler
from .constraint import AnswerConstraint
from .formats import Format, JsonSchema
from .held import Held
from .masks import Masks
from .matching import Compiled
from .rules import AnswerRule, ToolRule
from .schema.document import check_bounds
from .schema.findings import Loosened
from .signs import Signs, read_signs
from .special_ids import read_special_ids
from .vocabulary import library_tokenizer

MOST_COMPILED: Final = 64

_Made = tuple[Compiled, tuple[Loosened, ...]]


class Grammars:
    """Makes the constraints of answers. May be asked for them from several threads; the constraints
    themselves belong to the one thread that runs the engine.

    Args:
        vocab_size: of the model's scores.
        stop_ids: ids that end an answer.
    """

    def __init__(self, tokenizer: Tokenizer, *, vocab_size: int, stop_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._stop_ids = frozenset(stop_ids)
        self._special = read_special_ids(tokenizer.special_ids, self._stop_ids)
        self._masks = Masks(vocab_size)
        self._library: _Library | None = None
        self._compiled: OrderedDict[str, _Made] = OrderedDict()
        self._lock = Lock()

    def constraint(self, rule: AnswerRule) -> AnswerConstraint:
        """The constraint of one answer. The first that needs a grammar takes seconds, once.

        Raises:
            GrammarError: the rule is malformed, too large, contradicts itself, or cannot be enforced.
        """
        offered = rule.tools is not None and bool(rule.tools.offered)
        if rule.format is None and not offered:
            return AnswerConstraint(rule, self._masks, self._special)
        with self._lock:
            library = self._prepared()
            compiled, loosened = self._compile(library, rule.format, rule.tools)
        hold = partial(Held, compiled, library.signs, library.tokenizer, guards=rule.loop_guard)
        return AnswerConstraint(rule, self._masks, self._special, hold=hold, loosened=loosened)

    def prepare(self) -> None:
        """Build what the first constraint would, to have it done."""
        with self._lock:
            self._prepared()

    def _prepared(self) -> "_Library":
        if self._library is None:
            self._library = _Library(self._tokenizer, self._vocab_size, self._stop_ids)
        return self._library

    def _compile(self, library: "_Library", format: Format | None, tools: ToolRule | None) -> _Made:
        key = _content(format, tools)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = library.compiler.compile(format, tools)
            if len(self._compiled) > MOST_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return found


class _Library:
    """What is built from the vocabulary, once."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, stop_ids: frozenset[int]) -> None:
        self.tokenizer: LLTokenizer = library_tokenizer(
            tokenizer, vocab_size=vocab_size, stop_ids=stop_ids
        )
        self.signs: Signs = read_signs(self.tokenizer, tokenizer.special_ids, stop_ids, vocab_size)
        self.compiler = Compiler(self.tokenizer, tokenizer.special_ids)


def _content(format: Format | None, tools: ToolRule | None) -> str:
    """What a compiled grammar depends on, as text."""
    said: list[Any]
    if isinstance(format, JsonSchema):
        check_bounds(format.schema)
        said = ["schema", format.schema, format.strict]
    else:
        said = [repr(format)]
    if tools is not None:
        for tool in tools.offered:
            check_bounds(tool.parameters)
            said.append([tool.name, dict(tool.parameters)])
        said += [tools.mode == "required", tools.parallel, tools.strict]
    return json.dumps(said)
