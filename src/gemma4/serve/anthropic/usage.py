"""What an answer took and why it ended, in Anthropic's words."""

from typing import Any

from ...llm.events import Finished
from ..openai.usage import done_of, timings_of


def stop_of(finished: Finished) -> dict[str, Any]:
    """`stop_reason` and `stop_sequence`; `gemma4.finish_detail` says more where there is more to say."""
    return {"stop_reason": _reason(finished), "stop_sequence": _sequence(finished)}


def _sequence(finished: Finished) -> str | None:
    return finished.stop_string if finished.finish_reason == "stop" else None


def _reason(finished: Finished) -> str:
    match finished.finish_reason:
        case "tool_calls":
            return "tool_use"
        case "length":
            limit = finished.sampling.max_tokens
            is_own_limit = limit is not None and finished.usage.completion_tokens >= limit
            return "max_tokens" if is_own_limit else "model_context_window_exceeded"
        case "loop":
            return "max_tokens"  # cut off where it led nowhere; there is no word of its own
        case _:
            return "stop_sequence" if finished.stop_string is not None else "end_turn"


def usage_of(finished: Finished) -> dict[str, Any]:
    """Tokens; what was found in the cache is not among `input_tokens`."""
    usage = finished.usage
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thought_tokens},
    }


def done_with(finished: Finished) -> dict[str, Any]:
    """`gemma4` and `timings`, as chat completions have them."""
    return {"gemma4": done_of(finished), "timings": timings_of(finished)}
