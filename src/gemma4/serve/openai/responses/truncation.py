"""`truncation: auto`: the oldest turns are left out until the conversation fits, and it is said."""

from collections.abc import Callable
from dataclasses import replace

from fastapi import Request

from ....errors import ContextError
from ....llm.question import Question
from ...desk import Answers, Desk
from ...models import Served


async def ask_truncated(
    desk: Desk, model: str | None, build: Callable[[Served], Question], request: Request
) -> Answers:
    """Ask with as many of the last turns as fit, at least one.

    Raises:
        ContextError: not even the last turn fits.
    """
    left_out = 0
    while True:
        turns = 0

        def shortened(served: Served, count: int = left_out) -> Question:
            nonlocal turns
            question = build(served)
            turns = len(_starts(question))
            return without_turns(question, count)

        try:
            return await desk.ask(model, shortened, request=request)
        except ContextError as error:
            if left_out + 1 >= turns:
                raise
            share = (error.needed - error.limit) / error.needed  # of what is left, if all are alike
            left_out = min(turns - 1, left_out + max(1, int((turns - left_out) * share)))


def without_turns(question: Question, count: int) -> Question:
    """The question less so many of its oldest turns; what the system says at the start stays."""
    starts = _starts(question)
    if not count:
        return question
    messages = question.messages
    kept = (*messages[: starts[0]], *messages[starts[count] :])
    remark = f"truncation: the {count} oldest of {len(starts)} turns were left out"
    return replace(question, messages=kept, remarks=(*question.remarks, remark))


def _starts(question: Question) -> list[int]:
    """Where turns begin: at each of the user's messages."""
    return [index for index, one in enumerate(question.messages) if one.role == "user"]
