"""Sounds written down, through OpenAI's own client and without it."""

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import openai
import pytest
from live_server import LiveServer, live_server
from openai.types.audio import (
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from raw_http import RawHttp
from scripted_model import scripted_llm
from written_media import sound, wav

RATE = 16_000
SPEECH = Path(__file__).parents[2] / "data" / "media" / "speech.ogg"


def talk(seconds: float, quiet_at: float | None = None) -> np.ndarray:
    """A tone that is quiet for half a second, if it is told when."""
    times = np.arange(int(seconds * RATE)) / RATE
    samples = 0.3 * np.sin(2 * np.pi * 300 * times)
    if quiet_at is not None:
        samples[(times > quiet_at) & (times < quiet_at + 0.5)] = 0
    return samples.astype(np.float32)


def named(data: bytes, name: str = "a.wav") -> tuple[str, io.BytesIO]:
    return name, io.BytesIO(data)


def test_a_short_sound_as_json(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(model="scripted", file=SPEECH)
    assert found.text == "It was said."
    assert found.usage is not None
    assert found.usage.type == "tokens"
    assert found.usage.input_token_details is not None
    assert found.usage.input_token_details.audio_tokens > 20
    assert found.usage.input_tokens == (
        found.usage.input_token_details.audio_tokens + found.usage.input_token_details.text_tokens
    )
    assert found.to_dict()["gemma4"]["warnings"] == []
    assert found.to_dict()["gemma4"]["sampling"]["temperature"] == 0


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_s16le", RATE),
        ("mp3", "libmp3lame", RATE),
        ("ogg", "libopus", 48_000),
        ("flac", "flac", RATE),
    ],
)
def test_every_container(client: openai.OpenAI, container: str, codec: str, rate: int) -> None:
    data = sound(talk(3.0), container, codec, rate)
    found = client.audio.transcriptions.create(model="scripted", file=named(data, "a.bin"))
    assert found.text == "It was said."


def test_as_text(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(
        model="scripted", file=SPEECH, response_format="text"
    )
    assert found == "It was said.\n"


def test_a_long_sound_is_cut_where_it_is_quiet_and_says_so(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(
        model="scripted",
        file=named(wav(talk(50.0, quiet_at=26.0))),
        response_format="verbose_json",
        timestamp_granularities=["segment"],
    )
    TranscriptionVerbose.model_validate(
        {**found.to_dict(), "segments": found.to_dict()["segments"]}
    )
    assert found.text == "It was said. It was said."
    assert found.duration == pytest.approx(50.0)
    assert found.segments is not None
    first, second = found.segments
    assert (first.start, second.end) == (0.0, pytest.approx(50.0))
    assert first.end == second.start == pytest.approx(26.25, abs=0.15)
    assert all(one.avg_logprob <= 0 and one.tokens for one in found.segments)
    (remark,) = found.to_dict()["gemma4"]["warnings"]
    assert "cut into 2 pieces" in remark


def test_a_cut_in_the_middle_of_sound_is_told(client: openai.OpenAI) -> None:
    found = client.audio.transcriptions.create(model="scripted", file=named(wav(talk(31.0))))
    assert any("a word may be cut" in one for one in found.to_dict()["gemma4"]["warnings"])


def test_silence_is_not_asked_about(client: openai.OpenAI) -> None:
    silence = wav(np.zeros(RATE, dtype=np.float32))
    found = client.audio.transcriptions.create(
        model="scripted", file=named(silence), response_format="verbose_json"
    )
    assert found.text == ""
    assert found.segments is not None
    assert found.segments[0].no_speech_prob == 1.0
    assert "is silent" in found.to_dict()["gemma4"]["warnings"][0]


def test_streamed_by_the_client(client: openai.OpenAI) -> None:
    events = list(
        client.audio.transcriptions.create(
            model="scripted", file=named(wav(talk(40.0, quiet_at=28.0))), stream=True
        )
    )
    *deltas, done = events
    assert all(isinstance(one, TranscriptionTextDeltaEvent) for one in deltas)
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert "".join(one.delta for one in deltas) == done.text == "It was said. It was said."
    assert done.usage is not None
    assert done.usage.output_tokens == 8


def test_streamed_on_the_wire(server: LiveServer) -> None:
    found = httpx2.post(
        f"{server.url}/v1/audio/transcriptions",
        files={"file": ("a.wav", wav(talk(1.0)))},
        data={"stream": "true", "model": "scripted"},
    )
    *events, done, rest = found.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    for one in events:
        event = json.loads(one.removeprefix("data: "))
        assert event["type"] in ("transcript.text.delta", "transcript.text.done")
        assert event.get("delta") != ""


@pytest.fixture
def prompts() -> list[str]:
    return []


@pytest.fixture
def asked(prompts: list[str]) -> Iterator[openai.OpenAI]:
    """A client of a server that writes down what it was asked."""
    numbers = itertools.count(1)

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return f" part {next(numbers)}\n"

    with live_server([scripted_llm(answer)]) as live:
        yield openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)


def test_pieces_are_joined_in_order_with_one_space(asked: openai.OpenAI) -> None:
    found = asked.audio.transcriptions.create(
        model="scripted", file=named(wav(talk(50.0, quiet_at=26.0)))
    )
    assert found.text == "part 1 part 2"


def test_language_and_hint_are_told_to_the_model(asked: openai.OpenAI, prompts: list[str]) -> None:
    asked.audio.transcriptions.create(
        model="scripted", file=SPEECH, language="de", prompt="Ülm, Gemma"
    )
    assert "in German into German text" in prompts[0]
    assert "spelled here: Ülm, Gemma" in prompts[0]
    assert prompts[0].index("<|audio|>") < prompts[0].index("Transcribe")
    asked.audio.transcriptions.create(model="scripted", file=SPEECH)
    assert "in its original language" in prompts[1]


@pytest.mark.parametrize(
    ("form", "param", "words"),
    [
        ({"response_format": "srt"}, "response_format", "json, text or verbose_json"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities[]", "times of words"),
        ({"temperature": "9"}, "temperature", "2"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    server: LiveServer, form: dict[str, str], param: str, words: str
) -> None:
    found = httpx2.post(
        f"{server.url}/v1/audio/transcriptions",
        files={"file": ("a.wav", wav(talk(1.0)))},
        data=form,
    )
    assert found.status_code == 400
    assert found.json()["error"]["param"] == param
    assert words in found.json()["error"]["message"]


@pytest.mark.parametrize("data", [b"no sound at all", b""])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_no_sound_is_refused_before_the_stream(
    client: openai.OpenAI, data: bytes, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(model="scripted", file=named(data), stream=stream)
    assert caught.value.param == "file"


def test_a_model_that_hears_nothing_is_refused() -> None:
    llm = scripted_llm(lambda _: "no")
    deaf = replace(llm, info=replace(llm.info, modalities=("text", "image")))
    with live_server([deaf]) as live:
        client = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)
        with pytest.raises(openai.BadRequestError, match="no audio") as caught:
            client.audio.transcriptions.create(model="scripted", file=SPEECH)
    assert caught.value.param == "model"


def test_a_missing_file_is_named(http: RawHttp) -> None:
    found = httpx2.post(f"{http.url}/v1/audio/transcriptions", data={"model": "scripted"})
    assert found.status_code == 400
    assert found.json()["error"]["param"] == "file"
