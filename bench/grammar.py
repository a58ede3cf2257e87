"""What a grammar costs for each token: the mask and its application to the scores of 262,144 tokens.

    .venv/bin/python bench/grammar.py [--rounds 20]

Documents are followed token by token, as an answer would be; `restrict` and `accept` are timed together,
and beside them the same for scores that nothing restricts (the loop alone). Counted is what this thread
computed, not the clock, so that a busy machine does not matter. A step's budget is 3 % of what a token of
E2B Q4_0 takes: 37 ms alone, 49 ms for all of eight streams. The last line is JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from machine import describe_machine

from gemma4.grammar import AnswerRule, Grammars, JsonObject, JsonSchema, ThoughtRule, ToolRule
from gemma4.text.messages import Tool
from gemma4.text.tokens.packaged import packaged_tokenizer
from gemma4.text.tokens.tokenizer import Tokenizer

VOCAB, STOPS = 262_144, (1, 50, 106)
TEXT = "The quick brown fox jumps over the lazy dog, and then it goes home to have a rest. " * 4
CLOSED = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "kind": {"enum": ["note", "task", "event"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 999},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
    "required": ["title", "kind"],
    "additionalProperties": False,
}
PATTERNS = {
    "type": "object",
    "properties": {
        "when": {"type": "string", "format": "date-time"},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4,8}$"},
    },
    "required": ["when", "code"],
    "additionalProperties": False,
}
TOOLS = [Tool(name="note", description="", parameters=CLOSED), Tool(name="now", description="")]
THOUGHT = ThoughtRule(opens_thought=True, budget=100_000)

CASES: dict[str, tuple[AnswerRule, str]] = {
    "JSON of a closed schema": (
        AnswerRule(format=JsonSchema(CLOSED)),
        json.dumps(
            {"title": TEXT, "kind": "task", "count": 412, "tags": ["home", "garden"]},
            separators=(",", ":"),
        ),
    ),
    "any JSON object": (
        AnswerRule(format=JsonObject()),
        json.dumps({"a": {"b": [1, 2.5, None, TEXT]}}, separators=(",", ":")),
    ),
    "a tool call": (
        AnswerRule(tools=ToolRule(tools=TOOLS, mode="required")),
        f'<|tool_call>call:note{{count:412,kind:<|"|>task<|"|>,title:<|"|>{TEXT}<|"|>}}<tool_call|>',
    ),
    "free text beside tools": (AnswerRule(tools=ToolRule(tools=TOOLS)), TEXT),
    "a thought with a budget": (AnswerRule(format=JsonSchema(CLOSED), thought=THOUGHT), TEXT),
    "patterns and formats": (
        AnswerRule(format=JsonSchema(PATTERNS)),
        '{"when":"2026-11-20T15:04:05Z","code":"AB-123456"}',
    ),
}


def seconds(work: Callable[[], object]) -> float:
    """What this thread computed for it."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def follow(
    grammars: Grammars, rule: AnswerRule, ids: list[int], scores: torch.Tensor
) -> list[float]:
    """Microseconds of each token."""
    constraint = grammars.constraint(rule)
    times = []
    for id in ids:
        started = time.thread_time()
        constraint.restrict(scores)
        constraint.accept(id)
        times.append((time.thread_time() - started) * 1e6)
    return times


def measure(
    grammars: Grammars, tokenizer: Tokenizer, name: str, rounds: int
) -> dict[str, float | str]:
    """One case: the first answer, and those that come after it."""
    rule, text = CASES[name]
    ids = tokenizer.encode(text, allow_special=True)
    scores = torch.randn(VOCAB)
    compiled = seconds(lambda: grammars.constraint(rule)) * 1e3
    first = follow(grammars, rule, ids, scores)
    rest = [follow(grammars, rule, ids, scores) for _ in range(rounds)]
    means = [statistics.mean(times) for times in rest]
    return {
        "case": name,
        "tokens": len(ids),
        "compile_ms": round(compiled, 1),
        "first_us": round(statistics.mean(first)),
        "mean_us": round(statistics.median(means)),
        "worst_us": round(statistics.median(max(times) for times in rest)),
    }


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    tokenizer = packaged_tokenizer()
    grammars = Grammars(tokenizer, vocab_size=VOCAB, stop_ids=STOPS)
    prepared = seconds(grammars.prepare)
    print(f"preparing the vocabulary, once: {prepared:.2f} s")
    print(f"{'':26} tokens  compile ms  first µs  mean µs  worst µs  of 37 ms")
    results = [measure(grammars, tokenizer, name, rounds) for name in CASES]
    for one in results:
        share = float(one["mean_us"]) / 37_000
        print(
            f"{one['case']:26} {one['tokens']:6} {one['compile_ms']:11} {one['first_us']:9} "
            f"{one['mean_us']:8} {one['worst_us']:9} {share:8.2%}"
        )
    print(
        json.dumps(
            {"machine": describe_machine(threads=1), "prepare_s": prepared, "cases": results}
        )
    )


if __name__ == "__main__":
    main()
