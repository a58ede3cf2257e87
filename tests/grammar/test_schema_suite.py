"""The official test suite of JSON Schema, as JSON and as Gemma's arguments: no wrong answer in either."""

import json
import lzma
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from schema_acceptance import SchemaGrammar

from gemma4.errors import GrammarError

DATA = Path(__file__).parents[1] / "data" / "json_schema_suite" / "cases.json.xz"
DOCS = Path(__file__).parents[2] / "docs" / "structured-output.md"
SUITE: dict[str, list[dict[str, Any]]] = json.loads(lzma.decompress(DATA.read_bytes()))
# Formats are enforced, though the standard leaves that open; a few valid texts of theirs are never written.
ENFORCED_FORMATS = "draft2020-12/format", "draft7/format"
NARROWER = ("leap second", "quoted string", "address-literal", "overflow handling")

Figures = Counter[str]


def is_left_out(file: str, test: dict[str, Any]) -> bool:
    """Whether documents of the project say that this test is answered otherwise."""
    if file in ENFORCED_FORMATS:
        return "only an annotation" in test["description"]
    return test["valid"] and any(words in test["description"] for words in NARROWER)


def schema_of(file: str, schema: Any) -> Any:
    """The schema, with its dialect said where the file's name says it."""
    if file.startswith("draft7") and isinstance(schema, dict):
        return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    return schema


@cache
def outcome(file: str, syntax: str) -> tuple[Figures, tuple[str, ...]]:
    """How many tests pass and are refused, and what is wrong, in words."""
    figures: Figures = Counter()
    wrong = []
    for case in SUITE[file]:
        try:
            grammar = SchemaGrammar(schema_of(file, case["schema"]), syntax)
        except GrammarError as error:
            if error.keyword is None and error.pointer is None:
                wrong.append(f"{case['description']}: {error} names no place")
            figures["refused"] += len(case["tests"])
            continue
        for test in case["tests"]:
            if is_left_out(file, test):
                figures["left out"] += 1
            elif grammar.accepts(test["data"]) == test["valid"]:
                figures["passed"] += 1
            else:
                wrong.append(f"{case['description']}: {test['description']}: {test['data']!r}")
    return figures, tuple(wrong)


@pytest.mark.parametrize("syntax", ["json", "gemma"])
@pytest.mark.parametrize("file", SUITE)
def test_what_is_not_refused_is_right(file: str, syntax: str) -> None:
    figures, wrong = outcome(file, syntax)
    assert not wrong
    assert figures.total() == sum(len(case["tests"]) for case in SUITE[file])


@pytest.mark.parametrize("syntax", ["json", "gemma"])
@pytest.mark.parametrize("file", SUITE)
def test_a_loosened_schema_takes_all_that_is_valid(file: str, syntax: str) -> None:
    if file.endswith("/vocabulary"):
        pytest.skip("a dialect of its own says that keywords mean nothing")
    for case in SUITE[file]:
        grammar = SchemaGrammar(schema_of(file, case["schema"]), syntax, strict=False)
        for test in case["tests"]:
            if test["valid"] and not is_left_out(file, test):
                assert grammar.accepts(test["data"]), (case["schema"], test)


@pytest.mark.parametrize("draft", ["draft2020-12", "draft2020-12/optional", "draft7"])
def test_the_documented_figures_are_true(draft: str) -> None:
    figures: Figures = Counter()
    for file in SUITE:
        if file.startswith(draft) and ("optional" in file) == ("optional" in draft):
            figures += outcome(file, "json")[0]
            assert outcome(file, "json")[0] == outcome(file, "gemma")[0], file
    row = f"| {draft} | {figures['passed']} | {figures['refused']} | {figures['left out']} | 0 |"
    assert row in DOCS.read_text(), row
