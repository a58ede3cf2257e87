"""Documents and search results as texts that a model can read."""

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..fields import objects_of


def document_text(block: Mapping[str, Any], where: str) -> str:
    """The words of a `document` block, its title before them.

    Raises:
        RequestError: it is no text; PDF is not read here.
    """
    source = block.get("source")
    kind = source.get("type") if isinstance(source, Mapping) else None
    if kind == "text" and isinstance(data := _get(source, "data"), str):
        return _headed(block, data)
    if kind == "content":
        return _headed(block, _plain(_get(source, "content"), where))
    media_type = _get(source, "media_type") or kind
    raise RequestError(
        f"{where} is a document of {media_type}, which this server cannot read; send its words as text, "
        "or its pages as images",
        param=where,
    )


def search_result_text(block: Mapping[str, Any], where: str) -> str:
    """Title, source and words of a `search_result` block."""
    head = f"{block.get('title', '')}\n{block.get('source', '')}\n"
    return head + _plain(block.get("content"), where)


def _headed(block: Mapping[str, Any], words: str) -> str:
    heads = [block[key] for key in ("title", "context") if isinstance(block.get(key), str)]
    return "\n".join([*heads, words])


def _plain(content: Any, where: str) -> str:
    """A text, or the texts of a list of blocks."""
    if isinstance(content, str):
        return content
    texts = [block.get("text") for block in objects_of(content, where)]
    if not all(isinstance(text, str) for text in texts):
        raise RequestError(f"{where} holds something that is no text; send text", param=where)
    return "\n".join(str(text) for text in texts)


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
