"""Parts of content in all the forms that clients send."""

import base64
from pathlib import Path
from typing import Any

import pytest
from raw_http import RawHttp

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.parts import read_content
from gemma4.serve.settings import ServeSettings
from gemma4.text.messages import Audio, Image, Part, Text, Video

URL = "data:image/png;base64,AAAA"
MEDIA = Path(__file__).parents[2] / "data" / "media"


def read(part: dict[str, Any]) -> Part:
    (found,) = read_content([part], where="c", settings=ServeSettings())
    return found


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "output_text", "text": "a", "annotations": []}, Text("a")),
        ({"type": "refusal", "refusal": "no"}, Text("no")),
        ({"type": "image_url", "image_url": {"url": URL}}, Image(URL)),
        ({"type": "image_url", "image_url": URL}, Image(URL)),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, Image(URL, 70)),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "high"}}, Image(URL, 1120)),
        ({"type": "image_url", "image_url": URL, "image_budget": 560}, Image(URL, 560)),
        ({"type": "input_image", "image_url": URL, "detail": "auto"}, Image(URL)),
        ({"type": "image", "image": URL}, Image(URL)),
        ({"type": "image", "url": URL}, Image(URL)),
        ({"type": "input_audio", "input_audio": {"data": "AAE-_w", "format": "wav"}}, Audio(b"\0\1>\xff")),
        ({"type": "audio_url", "audio_url": {"url": URL}}, Audio(URL)),
        ({"type": "video_url", "video_url": {"url": URL}}, Video(URL)),
        ({"type": "input_video", "input_video": {"data": "AAE="}}, Video(b"\0\1")),
        ({"type": "input_video", "input_video": {"url": URL}}, Video(URL)),
    ],
)  # fmt: skip
def test_every_form(part: dict[str, Any], expected: Part) -> None:
    found = read(part)
    assert found == expected
    assert isinstance(found, Text) or found.where == "c[0]"


def test_words_and_nothing() -> None:
    settings = ServeSettings()
    assert read_content("a", where="c", settings=settings) == (Text("a"),)
    assert read_content("", where="c", settings=settings) == ()
    assert read_content(None, where="c", settings=settings) == ()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "file", "file": {}}, "known are text"),
        ({}, "known are text"),
        ({"type": "text", "text": 3}, "text must be text"),
        ({"type": "image_url"}, "has no url"),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "huge"}}, "auto, low or high"),
        ({"type": "image_url", "image_url": URL, "image_budget": "560"}, "must be a number"),
        ({"type": "image_url", "image_url": "https://a.b/c.png"}, "not fetched"),
        ({"type": "image_url", "image_url": "c.png"}, "no data: URL"),
        ({"type": "image_url", "image_url": "file:///etc/passwd"}, "--media-path"),
        ({"type": "input_audio", "input_audio": {"data": "??"}}, "no base64"),
        ({"type": "input_audio"}, "must be an object"),
    ],
)
def test_what_is_wrong_is_named(part: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        read(part)
    assert caught.value.param == "c[0]"


def ask(part: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "What?"}, part]
    return {"model": "scripted", "messages": [{"role": "user", "content": content}], **more}


def photo() -> str:
    data = base64.urlsafe_b64encode((MEDIA / "photo.jpg").read_bytes()).decode().rstrip("=")
    return f"data:image/jpeg;name=x;base64,{data}"


def test_a_picture_is_seen_with_the_budget_that_was_asked_for(http: RawHttp) -> None:
    low = {"type": "image_url", "image_url": {"url": photo(), "detail": "low"}}
    found = http.post("/v1/chat/completions", ask(low))
    assert found["gemma4"]["media"][0]["soft_tokens"] <= 70
    assert found["usage"]["prompt_tokens_details"]["image_tokens"] > 20
    plain = {"type": "image_url", "image_url": photo()}
    more = http.post("/v1/chat/completions", ask(plain, image_budget=140))
    assert 70 < more["gemma4"]["media"][0]["soft_tokens"] <= 140


@pytest.mark.parametrize("stream", [False, True])
def test_a_damaged_medium_is_named_before_anything_is_sent(http: RawHttp, stream: bool) -> None:
    body = ask({"type": "image_url", "image_url": URL}, stream=stream)
    error = http.error("/v1/chat/completions", body)
    assert error["param"] == "messages[0].content[1]"
    assert error["message"].startswith("messages[0].content[1]: ")
    assert error["type"] == "invalid_request_error"


def test_a_wrong_budget_is_refused(http: RawHttp) -> None:
    part = {"type": "image_url", "image_url": photo(), "image_budget": 99}
    assert "70, 140" in http.error("/v1/chat/completions", ask(part))["message"]
