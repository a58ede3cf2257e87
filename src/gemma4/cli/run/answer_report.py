"""What was really done for an answer: a block for people, an object for programs."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ...engine.sampling import Sampling
from ...engine.speculation.report import SpeculationReport
from ...llm.events import Answer, Finished
from ...tools.loop import ToolAnswer
from ..output import align_columns


def describe_answer(answer: Answer) -> dict[str, Any]:
    """An answer as JSON values: text, thought and calls first, then everything of its last event."""
    finished = answer.finished
    return {
        "text": answer.text,
        "thought": answer.thought,
        "tool_calls": plain(answer.tool_calls),
        **plain(finished),
    }


def describe_run(told: ToolAnswer) -> dict[str, Any]:
    """A call and what became of it, as JSON values."""
    return {
        "name": told.call.name,
        "arguments": plain(told.call.arguments),
        "denied": told.denied,
        "is_error": told.result.is_error,
        "result": told.result.text,
        "media": [type(part).__name__.lower() for part in told.result.media],
    }


def plain(value: Any) -> Any:
    """Frozen values as JSON takes them; a number that JSON has not, such as −∞, becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def stats_lines(finished: Finished) -> list[str]:
    """The block of `--verbose` and `/stats`."""
    usage, timings = finished.usage, finished.timings
    thought = f", {usage.thought_tokens:,} of them thought" if usage.thought_tokens else ""
    computed = usage.prompt_tokens - usage.cached_tokens
    cached = f", {usage.cached_tokens:,} of them known from before" if usage.cached_tokens else ""
    rows = [
        ("model", finished.model),
        ("device", f"{finished.device}, {finished.dtype}, {finished.kernels}"),
        ("load", f"{timings.load:.2f} s"),
        *(("media", describe_usage(medium)) for medium in usage.media),
        *([("media", f"prepared in {timings.media:.2f} s")] if usage.media else []),
        ("prompt", _rate(usage.prompt_tokens, computed, timings.prefill) + cached),
        # The first token comes out of the prefill: decoding made the others.
        (
            "answer",
            _rate(usage.completion_tokens, usage.completion_tokens - 1, timings.decode) + thought,
        ),
        *([("drafts", describe_drafts(finished.speculation))] if finished.speculation else []),
        ("template", finished.template or "none: plain completion"),
        ("thinking", "on" if finished.thinking else "off"),
        ("sampling", describe_sampling(finished.sampling)),
        ("finish", _finish(finished)),
    ]
    return align_columns(rows)


def describe_usage(medium: Any) -> str:
    """A medium's cost: `image, 256 soft tokens, 1920×1080 px → 1152×624 px (detail lost)`."""
    change = medium.original
    if medium.used != medium.original:
        change += f" → {medium.used}"
    lost = " (detail lost)" if medium.reduced else ""
    return f"{medium.kind}, {medium.soft_tokens:,} soft tokens, {change}{lost}"


def describe_drafts(report: SpeculationReport) -> str:
    """What guessing did: `lookup, 41 of 60 guesses right, 1.40 × as fast as without`."""
    words = [report.source]
    if report.acceptance is not None:
        words.append(f"{report.accepted:,} of {report.drafted:,} guesses right")
        if report.gain is not None:
            words.append(f"{report.gain:.2f} × as fast as without")
    elif report.off_reason is None:
        words.append("nothing to guess from")
    off = f"; off: {report.off_reason}" if report.off_reason else ""
    return ", ".join(words) + off


def describe_sampling(sampling: Sampling) -> str:
    """The settings that differ from doing nothing; temperature 0 is greedy whatever the others say."""
    neutral = Sampling()
    shown = {
        field.name: getattr(sampling, field.name)
        for field in fields(Sampling)
        if field.name == "temperature"
        or getattr(sampling, field.name) != getattr(neutral, field.name)
    }
    words = ", ".join(f"{key}={plain(value)}" for key, value in shown.items())
    return f"greedy ({words})" if sampling.temperature == 0 else words


def _rate(tokens: int, timed: int, seconds: float) -> str:
    rate = f", {timed / seconds:,.1f} tokens/s" if timed > 0 and seconds > 0 else ""
    return f"{tokens:,} tokens in {seconds:.2f} s{rate}"


def _finish(finished: Finished) -> str:
    detail = f": {finished.finish_detail}" if finished.finish_detail else ""
    return f"{finished.finish_reason}{detail}"
