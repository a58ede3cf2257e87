"""How many tokens a request has, without running it."""

import asyncio
from collections.abc import Callable

from ..errors import ContextError
from .answers import Asked
from .desk import Desk
from .models import Served


async def count_prompt(desk: Desk, model: str | None, build: Callable[[Served], Asked]) -> int:
    """Tokens of the prompt, soft tokens of media included; also of one that the context cannot hold.

    Raises:
        ModelNotFoundError, InputError: it cannot be done.
    """
    async with desk.models.use(model) as served:
        asked = build(served)
        try:
            prepared = await asyncio.to_thread(served.llm.prepare, asked)
        except ContextError as error:
            return error.needed - 1  # it counts one token of the answer
    return len(prepared.ids)
