"""The tools of one `gemma4 run`: opened before the model is loaded, closed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..chat.tool_use import ToolUse
from ..output import Output
from ..status_line import StatusLine
from .approval import Approver, terminal_reader
from .request import Tooling

if TYPE_CHECKING:
    from ...llm.llm import LLM
    from ...tools.box import Toolbox


@contextmanager
def opened_box(out: Output, tooling: Tooling) -> "Iterator[Toolbox | None]":
    """What the model may call; None where nothing was given.

    Raises:
        InputError: a file that cannot be used.
        EnvironmentFault: an MCP server that does not answer.
    """
    if tooling.is_empty:
        yield None
        return
    from ...tools.open import open_toolbox

    with StatusLine(out, "starting the tools"):
        box = open_toolbox(tooling.files, tooling.servers)
    with box:
        out.note(f"tools: {', '.join(tool.name for tool in box.offered) or 'none'}")
        for remark in box.remarks:
            out.note(f"  {remark}")
        yield box


def tool_use(out: Output, box: "Toolbox", tooling: Tooling, llm: "LLM") -> ToolUse:
    """How this model uses them. Older templates have a place for the words of a tool's answer only."""
    return ToolUse(
        box,
        approve=Approver(out, runs_all=tooling.runs_all, read=terminal_reader()),
        max_rounds=tooling.max_rounds,
        modalities=("text",) if llm.template.wants_tool_responses else llm.info.modalities,
    )
