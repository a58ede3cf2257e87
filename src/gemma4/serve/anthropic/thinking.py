"""What `thinking` and `output_config.effort` ask for."""

from ..errors import RequestError
from ..thinking import Thinking, thinking_of_effort
from .body import CountBody


def wanted_thinking(body: CountBody, *, can_think: bool) -> Thinking:
    """Off unless it is asked for; `adaptive` leaves it to the model, which thinks if it can.

    Args:
        can_think: whether the model's template knows thinking.

    Raises:
        RequestError: a type or an effort that does not exist.
    """
    if body.thinking is None:
        return Thinking()
    match body.thinking.type:
        case "disabled":
            return Thinking()
        case "enabled":
            return Thinking(enabled=True, budget=body.thinking.budget_tokens)
        case "adaptive" | "between_tools":
            if not can_think:
                return Thinking()
            if body.output_config is None or body.output_config.effort is None:
                return Thinking(enabled=True)
            return thinking_of_effort(body.output_config.effort, param="output_config.effort")
    raise RequestError(
        f"thinking.type is {body.thinking.type!r}; it must be enabled, adaptive or disabled",
        param="thinking.type",
    )
