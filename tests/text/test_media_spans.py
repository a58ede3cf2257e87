"""Placeholders become the tokens that transformers' processor writes, and spans say where soft tokens lie."""

import pytest

from gemma4.errors import MessageError
from gemma4.text.media_spans import SoftTokens, Span, expand_media
from gemma4.text.messages import Audio, Image, Message, Text, Video
from gemma4.text.prompt import Prompt, build_prompt
from gemma4.text.templates.renderer import BuiltinTemplate
from gemma4.text.tokens.tokenizer import Tokenizer

IMAGE = SoftTokens(kind="image", counts=(3,))
SOUND = SoftTokens(kind="audio", counts=(2,))
CLIP = SoftTokens(kind="video", counts=(2, 1), timestamps=("00:00", "12:05"))


def prompt(tokenizer: Tokenizer) -> Prompt:
    content = (Image("a"), Text("1st and 7"), Video("v"), Text("9 more"), Audio("s"), Image("b"))
    message = Message(role="user", content=content)
    return build_prompt([message], template=BuiltinTemplate("small"), tokenizer=tokenizer)


def test_ids_equal_the_whole_text_encoded_at_once(tokenizer: Tokenizer) -> None:
    """As transformers does it: texts and timestamps that touch are encoded together."""
    expanded = expand_media(prompt(tokenizer).ids, [IMAGE, CLIP, SOUND, IMAGE], tokenizer=tokenizer)
    text = (
        "<bos><|turn>user\n<|image><|image|><|image|><|image|><image|>1st and 7"
        "00:00 <|image><|video|><|video|><image|> 12:05 <|image><|video|><image|>9 more"
        "<|audio><|audio|><|audio|><audio|><|image><|image|><|image|><|image|><image|>"
        "<turn|>\n<|turn>model\n"
    )
    assert tokenizer.decode(expanded.ids) == text
    assert list(expanded.ids) == tokenizer.encode(text, allow_special=True)


def test_spans_cover_exactly_the_soft_tokens(tokenizer: Tokenizer) -> None:
    expanded = expand_media(prompt(tokenizer).ids, [IMAGE, CLIP, SOUND, IMAGE], tokenizer=tokenizer)
    assert [(s.kind, s.length, s.medium, s.frame) for s in expanded.spans] == [
        ("image", 3, 0, 0),
        ("video", 2, 1, 0),
        ("video", 1, 1, 1),
        ("audio", 2, 2, 0),
        ("image", 3, 3, 0),
    ]
    soft = {258_880, 258_881, 258_884}
    inside = {i for s in expanded.spans for i in range(s.start, s.start + s.length)}
    assert inside == {i for i, id in enumerate(expanded.ids) if id in soft}


def test_a_prompt_without_media_stays_as_it_is(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("words")
    expanded = expand_media(ids, [], tokenizer=tokenizer)
    assert expanded.ids == tuple(ids)
    assert expanded.spans == ()


def test_an_image_span_begins_after_its_begin_token(tokenizer: Tokenizer) -> None:
    expanded = expand_media([258_880], [IMAGE], tokenizer=tokenizer)
    assert expanded.ids == (255_999, 258_880, 258_880, 258_880, 258_882)
    assert expanded.spans == (Span(kind="image", start=1, length=3, medium=0, frame=0),)


@pytest.mark.parametrize(
    ("ids", "media", "message"),
    [
        ([258_880], [], r"has places for \['image'\], but the media are \[\]"),
        ([258_881], [IMAGE], r"has places for \['audio'\], but the media are \['image'\]"),
        (
            [258_880],
            [SoftTokens(kind="image", counts=(0,))],
            r"takes \(0,\) soft tokens; at least 1",
        ),
        ([258_880], [SoftTokens(kind="image", counts=())], r"takes \(\) soft tokens"),
        ([258_880], [SoftTokens(kind="image", counts=(1, 1))], r"has frames; only a video has"),
        (
            [258_884],
            [SoftTokens(kind="video", counts=(1, 1), timestamps=("00:00",))],
            "has 2 frames but 1 timestamps",
        ),
    ],
)
def test_media_that_do_not_fit_are_refused(
    tokenizer: Tokenizer, ids: list[int], media: list[SoftTokens], message: str
) -> None:
    with pytest.raises(MessageError, match=message):
        expand_media(ids, media, tokenizer=tokenizer)
