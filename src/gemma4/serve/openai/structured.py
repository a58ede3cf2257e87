"""A format in the words of other servers, beside OpenAI's `response_format`.

structured_outputs {json | regex | choice | grammar}     vLLM
guided_json, guided_regex, guided_choice, guided_grammar vLLM before 0.12
json_schema                                              llama.cpp
grammar                                                  llama.cpp's GBNF, which is refused by name
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ...grammar import Format
from ..errors import RequestError
from ..rules import read_format


class FormatFields(BaseModel):
    """The fields; at most one of them may say something."""

    response_format: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None
    guided_json: dict[str, Any] | bool | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None
    json_schema: dict[str, Any] | None = None
    grammar: str | None = None

    def wanted_format(self) -> Format | None:
        """The format of the answer; None for text.

        Raises:
            RequestError: two of them, one that is not understood, or a grammar in GBNF.
        """
        if self.grammar:
            raise RequestError(
                "grammar is llama.cpp's GBNF, which is not understood; send response_format with "
                '{"type": "lark", "grammar": …}, or a JSON Schema',
                param="grammar",
            )
        nested = self.structured_outputs or {}
        said: dict[str, Mapping[str, Any] | None] = {
            "response_format": self.response_format,
            "structured_outputs": _first(nested) if nested else None,
            "guided_json": _typed("json", self.guided_json),
            "guided_regex": _typed("regex", self.guided_regex),
            "guided_choice": _typed("choice", self.guided_choice),
            "guided_grammar": _typed("grammar", self.guided_grammar),
            "json_schema": _typed("json", self.json_schema),
        }
        found = [(param, value) for param, value in said.items() if value is not None]
        if len(found) > 1:
            names = " and ".join(param for param, _ in found)
            raise RequestError(f"{names} say the same thing; send one", param=found[1][0])
        return read_format(found[0][1], param=found[0][0]) if found else None


def _first(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind in ("json", "regex", "choice", "grammar"):
        if (found := _typed(kind, outputs.get(kind))) is not None:
            return found
    raise RequestError(
        f"structured_outputs has {', '.join(outputs)}; it must have json, regex, choice or grammar",
        param="structured_outputs",
    )


def _typed(kind: str, value: Any) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if kind == "json":
        return {"type": "json_schema", "schema": value}
    return {"type": kind, kind: value}
