"""Answers of tiny models through the engine: greedy ids, limits, stops, loops, media. float32."""

from dataclasses import replace

import pytest
import torch
from fake_forward import fake_engine
from tiny_loaded import engine_prompt, loaded, logits_of
from tiny_media import prompt, random_audio, random_image, text_prompt
from tiny_models import build

from gemma4.engine.encode import number_spans, place_media
from gemma4.engine.end import End
from gemma4.engine.limits import Limits
from gemma4.engine.loop_guard import LEAST_TOKENS
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.engine.streams import Streams
from gemma4.errors import ContextError, InputError, MediaError, SamplingError

GREEDY = Sampling(temperature=0.0, max_tokens=20)
LIMITS = Limits(context=4096, max_requests=1)


def run(
    kind: str,
    prompt: Prompt,
    sampling: Sampling = GREEDY,
    *,
    limits: Limits = LIMITS,
    stop_ids: frozenset[int] = frozenset(),
    on_prefill=None,
) -> tuple[list[int], End]:
    engine = open_engine(loaded(kind), limits)
    request = engine.prepare(prompt, sampling, stop_ids=stop_ids)
    steps = list(Streams(engine).run(request, on_prefill))
    engine.check()
    assert engine.is_idle
    assert isinstance(steps[-1], End)
    return [step.id for step in steps[:-1] if isinstance(step, Choice)], steps[-1]


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_greedy_ids_equal_transformers_generate(kind: str) -> None:
    case = text_prompt(13, seed=4)
    ours, end = run(kind, engine_prompt(loaded(kind), case))
    theirs = build(kind).generate(
        case.ids[None], max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0
    )[0, 13:]
    assert ours == theirs.tolist()
    assert end == End("length")


@pytest.mark.parametrize("kind", ["e_series", "unified"])
def test_generation_behind_media_equals_one_pass_at_each_step(kind: str) -> None:
    case = prompt(5, random_image(kind, columns=4, rows=2), random_audio(kind, frames=30), 9, 10)
    start = engine_prompt(loaded(kind), case)
    ours, _ = run(kind, start)
    grown = replace(
        start,
        ids=torch.cat((start.ids, torch.tensor(ours))),
        spans=None if start.spans is None else torch.cat((start.spans, torch.full((20,), -1))),
    )
    whole = logits_of(loaded(kind), grown).argmax(-1)
    assert ours == whole[start.ids.numel() - 1 : -1].tolist()


def test_long_prompts_are_read_in_chunks() -> None:
    case = engine_prompt(loaded("e_series"), text_prompt(60, seed=6))
    expected, _ = run("e_series", case)
    seen: list[tuple[int, int]] = []
    found, _ = run(
        "e_series",
        case,
        limits=replace(LIMITS, prefill_chunk=7),
        on_prefill=lambda done, total: seen.append((done, total)),
    )
    assert found == expected
    assert seen == [*((end, 60) for end in range(7, 60, 7)), (60, 60)]


def test_a_stop_id_ends_and_is_not_a_choice() -> None:
    case = engine_prompt(loaded("moe"), text_prompt(13, seed=4))
    all_ids, _ = run("moe", case)
    stop = all_ids[4]
    first = all_ids.index(stop)
    found, end = run("moe", case, stop_ids=frozenset({stop}))
    assert found == all_ids[:first]
    assert end == End("stop", stop_id=stop)


def test_the_context_bounds_prompt_and_answer_together() -> None:
    case = engine_prompt(loaded("moe"), text_prompt(13, seed=4))
    found, end = run("moe", case, Sampling(temperature=0.0), limits=replace(LIMITS, context=20))
    assert (len(found), end.reason) == (7, "context")
    found, end = run(
        "moe", case, Sampling(temperature=0.0, max_tokens=7), limits=replace(LIMITS, context=20)
    )
    assert (len(found), end.reason) == (7, "length")
    with pytest.raises(ContextError, match=r"13 tokens and the context holds 13") as caught:
        run("moe", case, limits=replace(LIMITS, context=13))
    assert (caught.value.needed, caught.value.limit) == (14, 13)


def test_ids_outside_the_vocabulary_are_refused_before_anything_runs() -> None:
    case = engine_prompt(loaded("moe"), text_prompt(5))
    with pytest.raises(SamplingError, match="id 512; the vocabulary has 0 to 511"):
        run("moe", case, Sampling(logit_bias={512: 1.0}))
    for wrong in (-1, 512):
        with pytest.raises(InputError, match=f"prompt has id {wrong}; the vocabulary has 0 to 511"):
            run("moe", Prompt(ids=torch.tensor([4, wrong, 7])))


def test_no_tokens_asked_gives_none() -> None:
    case = engine_prompt(loaded("moe"), text_prompt(5))
    assert run("moe", case, Sampling(max_tokens=0)) == ([], End("length"))


def test_an_endless_loop_is_ended_and_said() -> None:
    biased = {"temperature": 0.0, "logit_bias": {7: 100.0}, "max_tokens": 2000}
    engine = fake_engine((80, 80), Limits(context=2560))
    for settings, expected in (
        (Sampling(**biased), (End("loop", period=1), LEAST_TOKENS)),
        (Sampling(**{**biased, "max_tokens": 1300}, loop_guard=False), (End("length"), 1300)),
    ):
        request = engine.prepare(Prompt(ids=torch.arange(5)), settings)
        *choices, end = Streams(engine).run(request)
        assert (end, len(choices)) == expected
        assert {choice.id for choice in choices} == {7}


def test_placeholders_and_media_must_fit() -> None:
    model = loaded("moe")
    image = random_image("moe", columns=2, rows=2)
    case = prompt(5, image, 9)
    placed = place_media(model, case.ids.tolist(), [image])
    assert torch.equal(placed.soft_rows, case.soft_rows)
    assert torch.equal(placed.spans, case.spans)
    assert placed.media == ((image.digest, 4),)
    with pytest.raises(MediaError, match="4 media placeholders and the media fill 0"):
        place_media(model, case.ids.tolist(), [])
    places = [model.config.media_tokens.audio] * image.soft_tokens
    with pytest.raises(MediaError, match=r"medium 0 is of kind image, whose placeholder is \d+"):
        place_media(model, [5, *places, 9], [image])
    sound = random_audio("e_series", frames=30)
    with pytest.raises(MediaError, match="takes text, image, video but no audio"):
        place_media(model, prompt(5, sound).ids.tolist(), [sound])


def test_runs_of_placeholders_are_numbered() -> None:
    seen = torch.tensor([1, 1, 0, 1, 0, 0, 1, 1], dtype=torch.bool)
    assert number_spans(seen).tolist() == [0, 0, -1, 1, -1, -1, 2, 2]
