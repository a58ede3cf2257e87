"""Log-probabilities in OpenAI's two forms."""

import math

from gemma4.llm.events import TokenLogprob
from gemma4.serve.openai.logprobs import LOWEST, TextLogprobs, chat_logprobs
from gemma4.text.tokens.packaged import packaged_tokenizer_json
from gemma4.text.tokens.tokenizer import tokenizer_from_json

TOKENIZER = tokenizer_from_json(packaged_tokenizer_json(), origin="the package")


def scored(text: str, logprob: float = -1.0, *best: tuple[str, float]) -> TokenLogprob:
    (id,) = TOKENIZER.encode(text)
    top = tuple((TOKENIZER.encode(one)[0], one, score) for one, score in best)
    return TokenLogprob(id=id, text=text, logprob=logprob, top=top)


def test_chat_form() -> None:
    found = chat_logprobs([scored("é", -1.0, ("a", -0.5))], TOKENIZER)
    best = {"token": "a", "logprob": -0.5, "bytes": [97]}
    one = {"token": "é", "logprob": -1.0, "bytes": [195, 169], "top_logprobs": [best]}
    assert found == {"content": [one], "refusal": None}


def test_a_byte_of_a_character_is_told_as_it_is() -> None:
    first, *_ = TOKENIZER.encode("\U000e0fff")
    token = TokenLogprob(id=first, text=TOKENIZER.decode([first]), logprob=-1.0)
    (one,) = chat_logprobs([token], TOKENIZER)["content"]
    assert (one["token"], one["bytes"]) == ("\ufffd", [0xF3])


def test_minus_infinity_is_a_number_that_json_has() -> None:
    found = chat_logprobs([scored("a", -math.inf, ("b", -math.inf))], TOKENIZER)["content"][0]
    assert found["logprob"] == found["top_logprobs"][0]["logprob"] == LOWEST


def test_text_form_counts_characters_over_several_pieces() -> None:
    places = TextLogprobs(start=3)
    first = places.of([(2, "<bos>"), scored("é", -1.0, ("a", -0.5))])
    second = places.of([scored("a", -2.0, ("a", -2.0), ("b", -3.0))])
    assert first == {
        "tokens": ["<bos>", "é"],
        "token_logprobs": [None, -1.0],
        "top_logprobs": [None, {"é": -1.0, "a": -0.5}],
        "text_offset": [3, 8],
    }
    assert second["text_offset"] == [9]
    assert second["top_logprobs"] == [{"a": -2.0, "b": -3.0}]
