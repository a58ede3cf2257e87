"""What is asked of a model: a conversation to answer, or a text to go on with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..text.messages import Message, Tool


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A conversation, and how it is to be answered.

    Attributes:
        tools: that the model may call.
        thinking: let the model reason first.
        image_budget: most soft tokens of a picture: 70, 140, 280, 560 or 1120; None: the model's own.
        goes_on: the last message is the model's, and is continued instead of answered.
        options: see `Sampling`; what is not given comes from the checkpoint.
        remarks: what was left out of what the caller sent; they stand among the answer's warnings.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    thinking: bool = False
    image_budget: int | None = None
    goes_on: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """A text without a template: control tokens in it are plain text.

    Attributes:
        ids: the text as tokens, where the caller has them; `text` is not looked at then.
        options: see `Sampling`.
    """

    text: str = ""
    ids: tuple[int, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
