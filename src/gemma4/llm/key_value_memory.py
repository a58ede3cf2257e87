"""Memory for keys and values: how many pages, of what precision, and how long a context they hold."""

from dataclasses import dataclass
from typing import Final

import torch

from ..config import PAGE_TOKENS, ModelConfig, plan_kv_groups
from ..errors import ContextError, EnvironmentFault, InputError
from ..fit.pages import longest_context, plan_bytes, plan_pages
from ..model.page_table import blocks_of

KV_DTYPES: Final = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int8": torch.int8,
}
SHARE_OF_FREE: Final = 0.5
"""Of the memory that is free beside the weights: so much may keys and values take unasked."""

MAX_REQUESTS: Final = 4
"""How many requests have room at once where nobody says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyValueMemory:
    """A plan.

    Attributes:
        context: tokens that one request may have, prompt and answer together.
        tokens: of all requests together that there are pages for.
        max_requests: how many may run at once, where there are pages for them.
        num_pages: of each group of layers. num_bytes: of all.
    """

    context: int
    tokens: int
    max_requests: int
    dtype: str
    num_pages: tuple[int, ...]
    num_bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyValueOptions:
    """What a caller asks; None leaves it open.

    Attributes:
        context: tokens that one request may have, prompt and answer together.
        dtype: `auto`, or one of `KV_DTYPES`.
        num_bytes: that keys and values of all requests may take.
        max_requests: how many may run at once.
    """

    context: int | None = None
    dtype: str = "auto"
    num_bytes: int | None = None
    max_requests: int | None = None


def check_options(options: KeyValueOptions, config: ModelConfig) -> None:
    """Look at what a caller asks, before any weight is read.

    Raises:
        InputError: an unknown dtype, or a number below 1.
        ContextError: a context that the model does not hold.
    """
    longest, context = config.text.max_positions, options.context
    if context is not None and not 1 <= context <= longest:
        raise ContextError(
            f"a context of {context} tokens was asked for and the model holds 1 to {longest}",
            needed=context,
            limit=longest,
        )
    if options.dtype not in ("auto", *KV_DTYPES):
        raise InputError(
            f"kv_dtype {options.dtype!r} is unknown; give auto, {', '.join(KV_DTYPES)}"
        )
    numbers = {"kv_memory": options.num_bytes, "max_requests": options.max_requests}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise InputError(f"{name}={value} is too little; give 1 or more")


def plan_memory(
    options: KeyValueOptions, config: ModelConfig, *, computing: str, free_bytes: int
) -> KeyValueMemory:
    """Choose what was left open.

    A context that was asked for gets its pages: memory is taken as it fills. One that was not is as long
    as the model was made for, or as the bytes that were given, else half of the free memory, hold. Within
    the same bytes there are pages for as many requests of that length as may run at once.

    Args:
        computing: the model's dtype.

    Raises:
        ContextError: the memory that was given does not hold the context that was asked for.
        EnvironmentFault: the memory holds not even one page.
    """
    dtype = computing if options.dtype == "auto" else options.dtype
    context, requests = options.context, options.max_requests
    budget = int(free_bytes * SHARE_OF_FREE) if options.num_bytes is None else options.num_bytes
    if context is not None and options.num_bytes is None:
        return _plan(config, context, dtype, requests or MAX_REQUESTS, budget)
    longest = config.text.max_positions
    wanted = longest if context is None else context
    requests, held = _fitting(config, dtype, budget, wanted, requests)
    if not held:
        raise EnvironmentFault(
            f"{budget / 2**20:.0f} MiB hold no page of keys and values; give more with kv_memory, "
            "or choose kv_dtype int8"
        )
    if context is not None and held < context:
        raise ContextError(
            f"a context of {context} tokens was asked for and {budget / 2**20:.0f} MiB of keys and values "
            f"hold {held}; give more memory, a shorter context, or kv_dtype int8",
            needed=context,
            limit=held,
        )
    note = (
        f"the context is {held:,} tokens of the {longest:,} that the model was made for: its keys and "
        f"values may take {budget / 2**30:.1f} GiB; a context given by hand is taken as it is"
    )
    return _plan(config, held, dtype, requests, budget, *([note] if held < wanted else []))


def _fitting(
    config: ModelConfig, dtype: str, budget: int, wanted: int, max_requests: int | None
) -> tuple[int, int]:
    """Requests at once and the context: several where they leave all of it, one where they do not."""
    groups = plan_kv_groups(config.text.plan_layers())
    held = 0
    requests = 1
    for requests in (MAX_REQUESTS, 1) if max_requests is None else (max_requests,):
        held = longest_context(
            groups, kv_bytes=budget, dtype=dtype, limit=wanted, max_requests=requests
        )
        if held == wanted:
            break
    return requests, held


def _plan(
    config: ModelConfig, context: int, dtype: str, max_requests: int, budget: int, *notes: str
) -> KeyValueMemory:
    """Pages for as many whole requests as may run at once, or as the budget holds; for one in any case."""
    groups = plan_kv_groups(config.text.plan_layers())
    one = blocks_of(context) * PAGE_TOKENS
    held = longest_context(
        groups,
        kv_bytes=budget,
        dtype=dtype,
        limit=one * max_requests,
        max_requests=max_requests,
    )
    tokens = max(one, held)
    pages = plan_pages(groups, context=tokens, max_requests=max_requests)
    num_bytes = plan_bytes(groups, pages, dtype)
    crowd = (
        f"keys and values of all requests have room for {tokens:,} tokens in {num_bytes / 2**20:,.0f} MiB: "
        f"{max_requests} requests of the whole context of {context:,} would wait for each other; "
        "kv_memory gives more"
    )
    return KeyValueMemory(
        context=context,
        tokens=tokens,
        max_requests=max_requests,
        dtype=dtype,
        num_pages=pages,
        num_bytes=num_bytes,
        notes=notes if tokens == one * max_requests else (*notes, crowd),
    )
