"""Texts as completions and embeddings take them: words or token ids, one or several."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from ...errors import ContextError, InputError
from ...llm.llm import LLM
from ...text.prompt import completion_prompt
from ..errors import RequestError

Inputs = str | list[int] | list[str] | list[list[int]]


def read_inputs(given: Inputs, llm: LLM, *, param: str, most: int) -> list[tuple[int, ...]]:
    """Ids of each text; `<bos>` stands before words, ids are taken as they are.

    Args:
        most: how many there may be.

    Raises:
        RequestError: none, one that is empty, too many, too long, or ids that the model does not know.
    """
    texts = _listed(given)
    if not texts or len(texts) > most:
        raise RequestError(f"{param} has {len(texts)} texts; send 1 to {most}", param=param)
    return [
        _ids(text, llm, param if len(texts) == 1 else f"{param}[{index}]")
        for index, text in enumerate(texts)
    ]


@contextmanager
def naming(param: str) -> Iterator[None]:
    """Say which part of the request is wrong, or too long.

    Raises:
        RequestError: in place of an `InputError`.
    """
    try:
        yield
    except InputError as error:
        code = "context_length_exceeded" if isinstance(error, ContextError) else None
        raise RequestError(
            f"{param}: {error}", status=error.http_status, code=code, param=param
        ) from error


def _listed(given: Inputs) -> list[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [given]
    return list(cast(list[str | list[int]], given))


def _ids(text: str | list[int], llm: LLM, where: str) -> tuple[int, ...]:
    if not text:
        raise RequestError(f"{where} is empty; send at least a word", param=where)
    with naming(where):
        if isinstance(text, str):
            text = list(completion_prompt(text, tokenizer=llm.tokenizer).ids)
        llm.check_ids(text)
    return tuple(text)
