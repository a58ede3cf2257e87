"""The facade on a tiny random model with the real tokenizer, template and real media. float32."""

from pathlib import Path

import pytest
import torch
from tiny_chat import tiny_base_directory, tiny_chat_directory

import gemma4
from gemma4.engine.sampling import Sampling
from gemma4.errors import (
    CheckpointError,
    ContextError,
    InputError,
    MediaError,
    MessageError,
    ModelNotFoundError,
    SamplingError,
)
from gemma4.llm.events import ContentDelta, Finished
from gemma4.media.image import prepare_image

MEDIA = Path(__file__).parents[1] / "data" / "media"


@pytest.fixture(scope="module")
def llm() -> gemma4.LLM:
    return gemma4.load(tiny_chat_directory())


def test_what_was_loaded_is_said(llm: gemma4.LLM) -> None:
    info = llm.info
    assert (info.name, info.family, info.device) == ("tiny-chat", "gemma4", "cpu")
    assert info.modalities == ("text", "image", "video", "audio")
    assert info.template.startswith("small.2026-07@")
    assert info.template_came_along
    assert llm.is_chat_model
    assert llm.defaults == Sampling(temperature=1.0, top_k=64, top_p=0.95)
    assert llm.stop_ids >= {1, 106, 50}


def test_an_answer_reports_what_was_done(llm: gemma4.LLM) -> None:
    answer = llm.chat("Hello", max_tokens=5, seed=3)
    finished = answer.finished
    # <bos><|turn>user\nHello<turn|>\n<|turn>model\n
    assert finished.usage.prompt_tokens == 10
    assert finished.usage.completion_tokens <= 5
    assert finished.sampling == Sampling(
        temperature=1.0, top_k=64, top_p=0.95, seed=3, max_tokens=5
    )
    assert finished.template == llm.info.template
    assert not finished.thinking
    assert (finished.device, finished.dtype) == ("cpu", "float32")


def test_streaming_and_the_whole_answer_agree(llm: gemma4.LLM) -> None:
    settings = {"max_tokens": 12, "temperature": 0.0}
    events = list(llm.stream("Hello", **settings))
    assert isinstance(events[-1], Finished)
    text = "".join(event.text for event in events if isinstance(event, ContentDelta))
    assert text == llm.chat("Hello", **settings).text


def test_real_media_reach_the_model_in_list_order(llm: gemma4.LLM) -> None:
    def ask(*parts: dict[str, object]) -> gemma4.llm.events.Answer:
        return llm.chat(
            [{"role": "user", "content": [*parts, {"type": "text", "text": "What is it?"}]}],
            temperature=0.0,
            max_tokens=4,
            logprobs=1,
        )

    image = {"type": "image", "image": str(MEDIA / "photo.jpg")}
    audio = {"type": "audio", "audio": str(MEDIA / "speech.ogg")}
    video = {"type": "video", "video": str(MEDIA / "clip.mp4")}
    answer = ask(image, audio, video)
    usage = answer.finished.usage
    assert [medium.kind for medium in usage.media] == ["image", "audio", "video"]
    assert [medium.soft_tokens for medium in usage.media] == [260, 200, 2112]
    assert usage.prompt_tokens > sum(medium.soft_tokens for medium in usage.media)
    assert any("video was reduced: 125 frames" in warning for warning in answer.finished.warnings)
    swapped = ask(audio, image)
    assert [medium.kind for medium in swapped.finished.usage.media] == ["audio", "image"]
    # Random weights, but a picture must change the scores of what follows it.
    without = ask()
    assert swapped.finished.logprobs != without.finished.logprobs


def test_two_pictures_give_two_different_scores(llm: gemma4.LLM, tmp_path: Path) -> None:
    from PIL import Image

    inverted = tmp_path / "inverted.png"
    with Image.open(MEDIA / "photo.jpg") as picture:
        picture.point(lambda value: 255 - value).save(inverted)
    tokens = llm.config.media_tokens
    scores = []
    for path in (MEDIA / "photo.jpg", inverted):
        medium = prepare_image(path, budget=70)
        ids = [2, tokens.begin_image, *[tokens.image] * medium.soft_tokens, tokens.end_image, 9]
        scores.append(llm.logits(ids, media=[medium]))
    assert scores[0].shape == (len(ids), llm.config.text.vocab_size)
    assert scores[0].dtype is torch.float32
    assert float((scores[0][-1] - scores[1][-1]).abs().max()) > 1e-3


def test_the_image_budget_is_obeyed(llm: gemma4.LLM) -> None:
    content = [{"type": "image", "image": str(MEDIA / "photo.jpg")}]
    answer = llm.chat([{"role": "user", "content": content}], image_budget=70, max_tokens=1)
    assert answer.finished.usage.media[0].soft_tokens <= 70


def test_thinking_is_rendered_and_said(llm: gemma4.LLM) -> None:
    plain = llm.chat("Hi", max_tokens=1)
    thinking = llm.chat("Hi", thinking=True, max_tokens=1)
    assert thinking.finished.thinking
    assert thinking.finished.usage.prompt_tokens > plain.finished.usage.prompt_tokens


def test_tools_are_declared_from_a_function(llm: gemma4.LLM) -> None:
    def weather(city: str) -> str:
        """Say the weather.

        Args:
            city: Where.
        """
        return city

    plain, offered = llm.chat("Hi", max_tokens=1), llm.chat("Hi", tools=[weather], max_tokens=1)
    assert offered.finished.usage.prompt_tokens > plain.finished.usage.prompt_tokens + 20


def test_a_base_model_continues_text() -> None:
    base = gemma4.load(tiny_base_directory())
    assert not base.is_chat_model
    assert not base.info.template_came_along
    assert base.defaults == Sampling(temperature=1.0, top_k=64, top_p=0.95)
    assert "Gemma's own is used: temperature 1, top-k 64, top-p 0.95" in base.info.notes[-1]
    answer = base.generate("Once upon a time", max_tokens=6, temperature=0.0)
    assert answer.finished.template is None
    assert answer.finished.usage.completion_tokens == 6
    assert answer.finished.usage.prompt_tokens == 5


def test_an_answer_can_be_the_next_message(llm: gemma4.LLM) -> None:
    first = llm.chat("Hello", max_tokens=4, temperature=0.0)
    told = [
        gemma4.Message(role="user", content=(gemma4.Text("Hello"),)),
        first.message,
        gemma4.Message(role="user", content=(gemma4.Text("And?"),)),
    ]
    assert llm.chat(told, max_tokens=1).finished.usage.prompt_tokens > 15


def test_what_cannot_be_done_is_said_at_once(llm: gemma4.LLM, tmp_path: Path) -> None:
    with pytest.raises(MessageError, match="0 messages"):
        llm.stream([])
    with pytest.raises(SamplingError, match="unknown option 'temprature'"):
        llm.stream("Hi", temprature=1.0)
    with pytest.raises(SamplingError, match="id 999999; the vocabulary has 0 to 262143"):
        llm.stream("Hi", logit_bias={999_999: 1.0})
    with pytest.raises(MediaError):
        llm.stream([{"role": "user", "content": [{"type": "image", "image": b"no picture"}]}])
    with pytest.raises(InputError, match="id 262144 is not in the vocabulary of 0 to 262143"):
        llm.logits([262144])
    with pytest.raises(ContextError, match="8192"):
        gemma4.load(tiny_chat_directory(), context=10_000)
    with pytest.raises(ModelNotFoundError, match="does not exist"):
        gemma4.load(tmp_path / "nothing")
    with pytest.raises(CheckpointError):
        gemma4.load(tmp_path)
    with pytest.raises(InputError, match="dtype 'int7' is unknown"):
        gemma4.load(tiny_chat_directory(), dtype="int7")
    with pytest.raises(InputError, match="device 'warp' cannot be used"):
        gemma4.load(tiny_chat_directory(), device="warp")


def test_a_prompt_longer_than_the_context_names_both_numbers() -> None:
    small = gemma4.load(tiny_chat_directory(), context=12)
    with pytest.raises(ContextError, match=r"\d+ tokens and the context holds 12"):
        small.stream("word " * 50)  # before the first event is asked for
    with pytest.raises(ContextError, match="13 ids were given and the context holds 12"):
        small.logits(range(100, 113))


@pytest.mark.parametrize(
    "stop", [1, 496]
)  # <eos>, which the model knows as an end; an ordinary word
def test_the_id_that_ends_an_answer_leaves_no_text(llm: gemma4.LLM, stop: int) -> None:
    settings = {"temperature": 0.0, "logit_bias": {stop: 100.0}, "stop_ids": (stop,)}
    for answer in (llm.generate("Once", **settings), llm.chat("Hello", **settings)):
        assert (answer.text, answer.finished.finish_reason) == ("", "stop")
        assert answer.finished.usage.completion_tokens == 0


def test_a_model_in_the_working_directory_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_base_directory())
    assert gemma4.load(".").info.name == "tiny-base"


def test_an_answer_can_be_had_again_by_the_seed_it_reports(llm: gemma4.LLM) -> None:
    first = llm.chat("Hello", max_tokens=8)
    seed = first.finished.sampling.seed
    assert seed is not None
    assert llm.chat("Hello", max_tokens=8, seed=seed).text == first.text
    assert llm.chat("Hello", max_tokens=1, temperature=0.0).finished.sampling.seed is None


def test_a_silent_sound_is_said(llm: gemma4.LLM, tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    content = [{"type": "audio", "audio": str(tmp_path / "silence.wav")}]
    answer = llm.chat([{"role": "user", "content": content}], max_tokens=1)
    assert "audio: it is silent" in answer.finished.warnings


def test_a_medium_seen_before_is_not_encoded_again(llm: gemma4.LLM) -> None:
    content = [{"type": "image", "image": str(MEDIA / "photo.jpg")}]
    ask = {"max_tokens": 2, "temperature": 0.0, "logprobs": 1}
    first = llm.chat([{"role": "user", "content": content}], **ask)
    size = llm.soft_tokens.num_bytes
    again = llm.chat([{"role": "user", "content": content}], **ask)
    assert llm.soft_tokens.num_bytes == size > 0
    assert again.finished.logprobs == first.finished.logprobs


def test_an_image_budget_of_zero_is_refused_and_not_taken_for_none(llm: gemma4.LLM) -> None:
    content = [{"type": "image", "image": str(MEDIA / "photo.jpg")}]
    with pytest.raises(InputError, match="0"):
        llm.stream([{"role": "user", "content": content}], image_budget=0)


def test_what_the_context_cannot_hold_is_refused_before_the_towers_run() -> None:
    small = gemma4.load(tiny_chat_directory(), context=100)
    content = [{"type": "image", "image": str(MEDIA / "photo.jpg")}]
    with pytest.raises(ContextError, match="the context holds 100"):
        small.stream([{"role": "user", "content": content}])
    assert small.soft_tokens.num_bytes == 0
