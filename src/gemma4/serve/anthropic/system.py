"""The system's text, without the line that Claude Code puts before it for Anthropic's accounts.

    x-anthropic-billing-header: cc_version=2.1.107.3d9; cc_entrypoint=cli; cch=74943;

It is the first block, says nothing to a model, and its `cch` is another one in every request: left where it
stands, no prompt would begin like the one before, and all of it would be computed again each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..errors import RequestError

BILLING: Final = "x-anthropic-billing-header:"
BILLING_REMARK: Final = (
    "the line x-anthropic-billing-header was left out of the system prompt: it changes with every "
    "request, and no prompt would be found in the cache"
)


def system_texts(
    system: str | Sequence[Mapping[str, Any]] | None, where: str
) -> tuple[list[str], bool]:
    """Texts of a system prompt or message, and whether the billing line was taken out of them.

    Raises:
        RequestError: a block that is no text.
    """
    given = list(_texts(system, where))
    kept = [_without_billing(text) for text in given]
    return [text for text in kept if text], kept != given


def _texts(system: str | Sequence[Mapping[str, Any]] | None, where: str) -> Iterator[str]:
    if isinstance(system, str):
        yield system
        return
    for index, block in enumerate(system or ()):
        text = block.get("text")
        if block.get("type", "text") != "text" or not isinstance(text, str):
            raise RequestError(
                f"{where}[{index}] is of type {block.get('type')!r}; a system prompt holds text only",
                param=f"{where}[{index}]",
            )
        yield text


def _without_billing(text: str) -> str:
    """Only the first line can be it: a text that speaks of the header is not touched."""
    if not text.startswith(BILLING):
        return text
    return text.partition("\n")[2].lstrip("\n")
