"""The model's last message left open, so that the answer goes on with it."""

from collections.abc import Sequence

from ..errors import MessageError, TemplateError
from .messages import Message
from .templates.template import Template

_TURN_ENDS = ("<turn|>", "<end_of_turn>")


def check_open_end(messages: Sequence[Message]) -> None:
    """Refuse a conversation whose last message cannot be gone on with.

    Raises:
        MessageError: it is not the model's, calls tools, or holds no words.
    """
    last = messages[-1]
    if last.role != "assistant":
        raise MessageError(
            f"message {len(messages) - 1} is of role {last.role} and cannot be continued; "
            "the last message must be the assistant's"
        )
    if last.tool_calls or not last.text:
        raise MessageError(
            f"message {len(messages) - 1} {'calls tools' if last.tool_calls else 'holds no words'} and "
            "cannot be continued; the last message must hold words only"
        )


def without_turn_end(rendered: str, template: Template) -> str:
    """A rendered conversation up to the end of the model's last turn, which is taken off.

    Raises:
        TemplateError: the template writes something behind the last turn.
    """
    place, end = max((rendered.rfind(end), end) for end in _TURN_ENDS)
    if place < 0 or rendered[place + len(end) :].strip():
        raise TemplateError(
            f"chat template {template.revision} does not end with the model's turn, so that it cannot "
            "be continued; ask for a new answer"
        )
    return rendered[:place]
