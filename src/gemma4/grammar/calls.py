"""Tool calls as rules of a grammar: `<|tool_call>call:NAME{key:VALUE,…}<tool_call|>`, one or several."""

from collections.abc import Callable

from ..errors import GrammarError
from ..text.messages import Tool
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
    begin, end = special_ids["<|tool_call>"], special_ids["<tool_call|>"]
    syntax = GemmaSyntax(special_ids['<|"|>'])
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
    # A call's arguments are an object, whatever the schema leaves open.
    schema = {"type": "object", **tool.parameters}
    try:
        return Translator(
            schema, syntax, rules, findings, refused=refused, open_objects=False
        ).translate()
    except GrammarError as error:
        raise GrammarError(
            f"tool {tool.name!r}: {error}", pointer=error.pointer, keyword=error.keyword
        ) from error
