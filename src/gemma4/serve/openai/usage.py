"""What an answer took, and what was really done, as fields of OpenAI's answers."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...llm.events import Finished, Usage

FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "loop": "length",
    "cancelled": "stop",
}
"""Clients check these words against OpenAI's list; `gemma4.finish_detail` says what really happened."""


def usage_of(finished: Sequence[Finished], *, num_prompts: int = 1) -> dict[str, Any]:
    """Tokens of a request; a prompt counts once, however many answers it has."""
    usages = [one.usage for one in finished]
    read = usages[:: len(usages) // num_prompts]
    prompt, completion = (
        sum(u.prompt_tokens for u in read),
        sum(u.completion_tokens for u in usages),
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": sum(u.cached_tokens for u in read),
            "audio_tokens": _soft(usages[0], "audio"),
            "image_tokens": _soft(usages[0], "image"),
            "video_tokens": _soft(usages[0], "video"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(u.thought_tokens for u in usages),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _soft(usage: Usage, kind: str) -> int:
    return sum(medium.soft_tokens for medium in usage.media if medium.kind == kind)


def timings_of(finished: Finished) -> dict[str, Any]:
    """The same names as llama.cpp's, in milliseconds."""
    usage, timings = finished.usage, finished.timings
    computed = usage.prompt_tokens - usage.cached_tokens
    return {
        "cache_n": usage.cached_tokens,
        "prompt_n": computed,
        "prompt_ms": timings.prefill * 1e3,
        "prompt_per_second": _rate(computed, timings.prefill),
        "predicted_n": usage.completion_tokens,
        "predicted_ms": timings.decode * 1e3,
        "predicted_per_second": _rate(max(usage.completion_tokens - 1, 0), timings.decode),
    }


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0


def done_by(answers: Sequence[Finished], *remarks: str) -> dict[str, Any]:
    """What was done for several answers to one request: the first one's settings, the warnings of all."""
    return done_of(answers[0], *(word for one in answers for word in one.warnings), *remarks)


def done_of(finished: Finished, *remarks: str) -> dict[str, Any]:
    """What was really done; `gemma4` in an answer. Remarks join its warnings."""
    sampling = asdict(finished.sampling)
    for name in ("logit_bias", "suppress_ids", "stop_ids", "logprobs"):
        sampling.pop(name)
    return {
        "template": finished.template,
        "thinking": finished.thinking,
        "sampling": sampling,
        "device": finished.device,
        "dtype": finished.dtype,
        "kernels": finished.kernels,
        "finish_reason": finished.finish_reason,
        "finish_detail": finished.finish_detail,
        "media": [asdict(medium) for medium in finished.usage.media],
        "speculation": None if finished.speculation is None else asdict(finished.speculation),
        "constraint": None if finished.constraint is None else asdict(finished.constraint),
        "warnings": list(dict.fromkeys((*finished.warnings, *remarks))),
    }
