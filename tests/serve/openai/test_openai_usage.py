"""What an answer took, in OpenAI's and llama.cpp's words."""

from dataclasses import replace

from gemma4.engine.sampling import Sampling
from gemma4.llm.events import Finished, Timings, Usage
from gemma4.media.types import MediaUsage
from gemma4.serve.openai.usage import done_by, timings_of, usage_of

PICTURE = MediaUsage(kind="image", soft_tokens=70, original="9×9 px", used="9×9 px", reduced=False)
FINISHED = Finished(
    finish_reason="stop",
    finish_detail=None,
    usage=Usage(
        prompt_tokens=100,
        cached_tokens=32,
        completion_tokens=11,
        thought_tokens=3,
        media=(PICTURE,),
    ),
    timings=Timings(load=1.0, media=0.5, prefill=2.0, decode=5.0),
    sampling=Sampling(),
    thinking=True,
    template="t",
    model="m",
    device="cpu",
    dtype="float32",
    kernels="torch",
    warnings=("a",),
)


def test_one_answer() -> None:
    found = usage_of([FINISHED])
    assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == (
        100,
        11,
        111,
    )
    assert found["prompt_tokens_details"] == {
        "cached_tokens": 32, "audio_tokens": 0, "image_tokens": 70, "video_tokens": 0
    }  # fmt: skip
    assert found["completion_tokens_details"]["reasoning_tokens"] == 3


def test_prompts_count_once_each() -> None:
    found = usage_of([FINISHED] * 6, num_prompts=2)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (200, 66)
    assert found["prompt_tokens_details"]["cached_tokens"] == 64
    assert usage_of([FINISHED] * 6)["prompt_tokens"] == 100


def test_rates_count_what_was_computed() -> None:
    found = timings_of(FINISHED)
    assert (found["prompt_n"], found["cache_n"], found["prompt_per_second"]) == (68, 32, 34.0)
    assert (found["predicted_n"], found["predicted_per_second"]) == (11, 2.0)
    instant = replace(FINISHED, timings=Timings(load=0.0, media=0.0, prefill=0.0, decode=0.0))
    assert timings_of(instant)["predicted_per_second"] == 0.0


def test_warnings_are_of_all_answers_and_stand_once() -> None:
    others = [FINISHED, replace(FINISHED, warnings=("a", "b"))]
    assert done_by(others, "c")["warnings"] == ["a", "b", "c"]
