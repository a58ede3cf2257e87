"""Texts of completions and embeddings, as words or ids."""

import pytest
from scripted_model import scripted_llm

from gemma4.errors import ContextError, InputError
from gemma4.llm.llm import LLM
from gemma4.serve.errors import RequestError
from gemma4.serve.openai.inputs import Inputs, naming, read_inputs


@pytest.fixture(scope="module")
def llm() -> LLM:
    return scripted_llm(lambda _: "", context=64)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hi", [(2, 2202)]),
        (["hi", "hi"], [(2, 2202)] * 2),
        ([2202, 3], [(2202, 3)]),
        ([[2202], [3, 4]], [(2202,), (3, 4)]),
        ("<bos>", None),
    ],
)
def test_every_form(llm: LLM, given: Inputs, expected: list[tuple[int, ...]] | None) -> None:
    found = read_inputs(given, llm, param="input", most=2)
    if expected is None:  # words are words: no second beginning
        assert found[0].count(2) == 1
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ([], "input", None),
        (["a", "b", "c"], "input", None),
        (["a", ""], "input[1]", None),
        ([[1], [-1]], "input[1]", None),
        ("a b " * 100, "input", "context_length_exceeded"),
    ],
)
def test_what_is_wrong_is_named(llm: LLM, given: Inputs, param: str, code: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        read_inputs(given, llm, param=param.partition("[")[0], most=2)
    assert (caught.value.param, caught.value.code, caught.value.status) == (param, code, 400)


def test_naming_keeps_what_is_said_and_adds_where() -> None:
    with pytest.raises(RequestError, match=r"^x: too long$") as caught, naming("x"):
        raise ContextError("too long", needed=2, limit=1)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(RequestError, match=r"^x: wrong$"), naming("x"):
        raise InputError("wrong")
