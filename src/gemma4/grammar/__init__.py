"""Answers held to a format or to tool calls, by llguidance: see docs/structured-output.md."""

from .constraint import AnswerConstraint
from .formats import Choices, Format, JsonObject, JsonSchema, Lark, Regex
from .grammars import Grammars
from .rules import AnswerRule, ThoughtRule, ToolMode, ToolRule
from .schema.findings import Loosened

__all__ = [
    "AnswerConstraint", "AnswerRule", "Choices", "Format", "Grammars", "JsonObject", "JsonSchema",
    "Lark", "Loosened", "Regex", "ThoughtRule", "ToolMode", "ToolRule",
]  # fmt: skip
