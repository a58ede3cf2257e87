"""What is refused before it runs: more tokens than the context holds, more pages than there are."""

from collections.abc import Sequence

from ..config import PAGE_TOKENS, KVGroup
from ..errors import ContextError
from ..fit.pages import held_pages
from .request import Request


def tokens_together(groups: Sequence[KVGroup], num_pages: Sequence[int]) -> int:
    """Tokens of all requests together that the pages hold: those of full layers, which drop none."""
    full = [pages for group, pages in zip(groups, num_pages, strict=True) if group.window is None]
    return PAGE_TOKENS * min(full or num_pages)


def check_context(length: int, context: int, together: int) -> None:
    """Refuse a prompt of so many tokens that leaves no room for one more.

    Args:
        context: tokens that one request may have. together: that all may have.

    Raises:
        ContextError: with all three numbers.
    """
    if length >= context:
        raise ContextError(
            f"the prompt has {length} tokens and the context holds {context} of one request (pages hold "
            f"{together} of all requests together); shorten it, or give a larger context",
            needed=length + 1,
            limit=context,
        )


def check_pages(
    request: Request, groups: Sequence[KVGroup], num_pages: Sequence[int], *, prefill_chunk: int
) -> None:
    """Refuse a request that could not run to its end, alone and with all pages.

    Raises:
        ContextError: with the tokens it needs and those that the pages hold.
    """
    total = request.num_prompt + request.budget
    chunk = max(prefill_chunk, request.spans.longest)
    for group, pages in zip(groups, num_pages, strict=True):
        needed = held_pages(group, total, chunk)
        if needed > pages:
            kind = "full" if group.window is None else "sliding"
            raise ContextError(
                f"{request.num_prompt} tokens of prompt and up to {request.budget} of answer need "
                f"{needed} pages of keys and values in {kind} layers and there are {pages}, of "
                f"{PAGE_TOKENS} tokens, for all requests; shorten the prompt, lower max_tokens, or give "
                "more memory for keys and values (kv_memory)",
                needed=total,
                limit=pages * PAGE_TOKENS,
            )
