"""From a body of Anthropic's to the question that it asks."""

from ...llm.question import Question
from ..models import Served
from ..settings import ServeSettings
from ..transcript import Transcript
from .blocks import BlockReader
from .body import CountBody, MessagesBody
from .rules import format_of, tool_choice_of
from .thinking import wanted_thinking
from .tools import read_tools


def question_of(body: CountBody, served: Served, settings: ServeSettings) -> Question:
    """What is asked; a last message of the model's is gone on with.

    Raises:
        RequestError, MessageError: it cannot be understood.
    """
    template = served.llm.template
    transcript = Transcript(template)
    reader = BlockReader(transcript, settings)
    reader.system(body.system, "system")
    for index, message in enumerate(body.messages):
        reader.message(message, f"messages[{index}]")
    tools, remarks = read_tools(body.tools or ())
    thinking = wanted_thinking(body, can_think="enable_thinking" in template.variables)
    return Question(
        messages=transcript.messages(),
        tools=tools,
        tool_choice=tool_choice_of(body),
        format=format_of(body),
        thinking=thinking.enabled,
        thought_budget=thinking.budget,
        image_budget=body.image_budget,
        goes_on=transcript.ends_with_words_of_the_model,
        options=body.options() if isinstance(body, MessagesBody) else {},
        remarks=(*reader.remarks, *remarks, *_of_servers(body)),
    )


def _of_servers(body: CountBody) -> tuple[str, ...]:
    """Remarks on what Anthropic's servers would have done before they asked a model."""
    remarks = []
    if body.mcp_servers:
        remarks.append("mcp_servers was left out: this server connects to none for a client")
    if (body.context_management or {}).get("edits"):
        remarks.append("context_management was left out: nothing was cleared from the conversation")
    return tuple(remarks)
