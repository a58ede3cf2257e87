"""What `thinking` and `output_config.effort` ask for."""

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..thinking import Thinking, thinking_of_effort

_LEAST_BUDGET = 1


def wanted_thinking(
    thinking: Mapping[str, Any] | None, output_config: Mapping[str, Any] | None, *, can_think: bool
) -> Thinking:
    """Off unless it is asked for; `adaptive` leaves it to the model, which thinks if it can.

    Args:
        can_think: whether the model's template knows thinking.

    Raises:
        RequestError: a type, budget or effort that does not exist.
    """
    kind = (thinking or {}).get("type", "disabled")
    match kind:
        case "disabled":
            return Thinking()
        case "enabled":
            return Thinking(enabled=True, budget=_budget((thinking or {}).get("budget_tokens")))
        case "adaptive" | "between_tools":
            if not can_think:
                return Thinking()
            effort = (output_config or {}).get("effort")
            if effort is None:
                return Thinking(enabled=True)
            return thinking_of_effort(str(effort), param="output_config.effort")
    raise RequestError(
        f"thinking.type is {kind!r}; it must be enabled, adaptive or disabled",
        param="thinking.type",
    )


def _budget(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < _LEAST_BUDGET:
        raise RequestError(
            f"thinking.budget_tokens is {value!r}; it must be a number of at least {_LEAST_BUDGET}",
            param="thinking.budget_tokens",
        )
    return value
