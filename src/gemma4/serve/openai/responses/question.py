"""From a body of Responses to the question that it asks."""

from collections.abc import Sequence

from ....llm.question import Question
from ...models import Served
from ...settings import ServeSettings
from ...transcript import Transcript
from .body import Item, ResponsesBody
from .input_items import ItemReader
from .offered import Offered
from .rules import format_of, tool_choice_of


def question_of(
    body: ResponsesBody,
    items: Sequence[Item],
    offered: Offered,
    served: Served,
    settings: ServeSettings,
) -> Question:
    """What is asked.

    Args:
        items: the whole conversation, what came before `body.input` included.

    Raises:
        RequestError, MessageError: it cannot be understood.
    """
    transcript = Transcript(served.llm.template)
    if body.instructions:
        transcript.instruct(body.instructions)
    reader = ItemReader(transcript, settings)
    reader.read(items)
    thinking = body.wanted_thinking()
    return Question(
        messages=transcript.messages(),
        tools=offered.tools,
        tool_choice=tool_choice_of(body),
        format=format_of(body),
        thinking=thinking.enabled,
        thought_budget=thinking.budget,
        image_budget=body.image_budget,
        options=body.options(),
        remarks=(*reader.remarks, *offered.remarks, *_unheeded(body)),
    )


def _unheeded(body: ResponsesBody) -> tuple[str, ...]:
    verbosity = None if body.text is None else body.text.verbosity
    if verbosity in (None, "medium"):
        return ()
    return (f"text.verbosity {verbosity!r} has no effect: this model has no such setting",)
