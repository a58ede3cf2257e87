"""The whole conversation of a request: what was kept of it, and what it brings."""

import secrets

from ...errors import RequestError
from .body import Item, ResponsesBody
from .store import ResponseStore

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


def gather(body: ResponsesBody, store: ResponseStore) -> list[Item]:
    """All items, each with an id; references are followed.

    Raises:
        RequestError: something it refers to is not here, or not over yet.
    """
    before: list[Item] = []
    if body.previous_response_id is not None:
        kept = store.find(body.previous_response_id, param="previous_response_id")
        status = kept.response["status"]
        if status not in ("completed", "incomplete"):
            raise RequestError(
                f"previous_response_id {kept.id!r} is {status}; only a response that was made can be "
                "gone on from",
                param="previous_response_id",
            )
        before = [*kept.items, *kept.response["output"]]
    given: str | list[Item] = body.input if body.input is not None else []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items = [_followed(item, f"input[{index}]", before, store) for index, item in enumerate(given)]
    if not items and not before:
        raise RequestError("input is empty; send a text or a list of items", param="input")
    return [*before, *items]


def _followed(item: Item, where: str, before: list[Item], store: ResponseStore) -> Item:
    if item.get("type") != "item_reference":
        return _whole(item)
    id = str(item.get("id"))
    known = [one for one in before if one.get("id") == id]
    return known[0] if known else store.item(id, where=where)


def _whole(item: Item) -> Item:
    """The item as it is listed: with an id, a type, and words as a part."""
    kind = item.get("type", "message")
    prefix = _PREFIXES.get(str(kind), "item")
    whole = {**item, "type": kind, "id": item.get("id") or f"{prefix}_{secrets.token_hex(16)}"}
    words = item.get("content")
    if kind == "message" and isinstance(words, str):
        is_said = item.get("role") == "assistant"
        part = {"type": "output_text" if is_said else "input_text", "text": words}
        whole["content"] = [{**part, "annotations": []} if is_said else part]
    return whole
