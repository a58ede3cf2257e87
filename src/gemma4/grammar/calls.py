"""Tool calls as rules of a grammar: `<|tool_call>call:NAME{key:VALUE,…}<tool_call|>`, one or several."""

from collections.abc import Callable

from ..errors import GrammarError
from ..text.messages import Tool
from ..text.tokens.special_tokens import STRING, TOOL_CALL_BEGIN, TOOL_CALL_END
from .rules import ToolRule
from .schema.findings import Findings, Loosened
from .schema.rules import Ref, Repeat, Rules, Sequence, literal
from .schema.syntax import GemmaSyntax
from .schema.translate import Translator

_MOST_CALLS = 64


def calls_rule(
    rule: ToolRule,
    rules: Rules,
    *,
    special_ids: dict[str, int],
    refused: Callable[[str], str],
) -> tuple[Ref, tuple[Loosened, ...]]:
    """Write rules for the calls that may be made.

    Returns:
        The rule of one or more calls, and what was loosened; pointers begin with the tool's name.

    Raises:
        GrammarError: a schema is malformed, or cannot be enforced though it must; it names the tool.
    """
    missing = [name for name in (TOOL_CALL_BEGIN, TOOL_CALL_END, STRING) if name not in special_ids]
    if missing:
        raise GrammarError(
            f"the vocabulary has no token {missing[0]}: the model cannot call tools; "
            "leave the tools out, or take a Gemma 4 model"
        )
    begin, end = special_ids[TOOL_CALL_BEGIN], special_ids[TOOL_CALL_END]
    syntax = GemmaSyntax(special_ids[STRING])
    calls: list[Sequence] = []
    loosened: list[Loosened] = []
    for tool in rule.offered:
        findings = Findings(strict=rule.strict)
        arguments = _arguments(tool, syntax, rules, findings, refused)
        calls.append((f"<[{begin}]>", literal(f"call:{tool.name}"), arguments, f"<[{end}]>"))
        loosened += [
            Loosened(f"{tool.name}{one.pointer}", one.keyword, one.reason)
            for one in findings.loosened
        ]
    call = rules.define(rules.fresh(), calls)
    most = _MOST_CALLS if rule.parallel else 1
    return rules.define(rules.fresh(), [(Repeat((call,), 1, most),)]), tuple(loosened)


def _arguments(
    tool: Tool, syntax: GemmaSyntax, rules: Rules, findings: Findings, refused: Callable[[str], str]
) -> Ref:
    schema = {**tool.parameters, "type": "object"}  # as a call's arguments always are
    try:
        start = Translator(
            schema, syntax, rules, findings, refused=refused, open_objects=False
        ).translate()
        if not rules.is_possible(start):
            findings.unsupported(
                "", "parameters", "it contradicts itself: the tool cannot be called"
            )
        return start
    except GrammarError as error:
        raise GrammarError(
            f"tool {tool.name!r}: {error}", pointer=error.pointer, keyword=error.keyword
        ) from error
