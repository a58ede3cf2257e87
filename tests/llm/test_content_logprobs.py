"""Log-probabilities go with the piece in which their text begins."""

from gemma4.llm.content_logprobs import ContentLogprobs
from gemma4.llm.events import ContentDelta, TokenLogprob


def token(number: int) -> TokenLogprob:
    return TokenLogprob(id=number, text="", logprob=-1.0)


def attached(scores: ContentLogprobs, text: str) -> list[int]:
    return [one.id for one in scores.attach(ContentDelta(text)).logprobs]


def test_text_that_is_held_back_keeps_its_tokens() -> None:
    scores = ContentLogprobs()
    scores.add(token(0), 3)
    scores.add(token(1), 2)
    assert attached(scores, "ab") == [0]  # its third byte may begin a stop string
    assert attached(scores, "c") == []
    assert attached(scores, "d") == [1]


def test_parts_of_a_character_come_together() -> None:
    scores = ContentLogprobs()
    for number in range(4):
        scores.add(token(number), 1)
    assert attached(scores, "🙂") == [0, 1, 2, 3]


def test_text_that_no_token_wrote_takes_none_from_the_next() -> None:
    scores = ContentLogprobs()
    scores.add(token(0), 1)
    assert attached(scores, "\ufffd") == [0]  # three bytes for one
    assert attached(scores, "words of a broken call") == []
    scores.add(token(1), 1)
    scores.add(token(2), 1)
    assert attached(scores, "a") == [1]
    assert attached(scores, "b") == [2]


def test_a_piece_without_tokens_is_the_same() -> None:
    piece = ContentDelta("a")
    assert ContentLogprobs().attach(piece) is piece
