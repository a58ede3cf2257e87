"""Generation from prompt to end on tiny models: greedy ids, limits, stops, loops, media. float32."""

import pytest
import torch
from tiny_loaded import engine_prompt, loaded, logits_of
from tiny_media import prompt, random_audio, random_image, text_prompt
from tiny_models import build

from gemma4.engine import generate as generate_module
from gemma4.engine.encode import number_spans, place_media
from gemma4.engine.generate import End, generate
from gemma4.engine.loop_guard import LEAST_TOKENS
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.errors import ContextError, MediaError
from gemma4.model.kv import DenseKV

GREEDY = Sampling(temperature=0.0, max_tokens=20)


def run(kind: str, prompt: Prompt, sampling: Sampling = GREEDY, **options: object):
    settings = {"stop_ids": frozenset(), "context": 4096, **options}
    steps = list(generate(loaded(kind), prompt, sampling, **settings))
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
    grown = Prompt(
        ids=torch.cat((start.ids, torch.tensor(ours))),
        soft_rows=start.soft_rows,
        soft_tokens=start.soft_tokens,
        spans=None if start.spans is None else torch.cat((start.spans, torch.full((20,), -1))),
    )
    whole = logits_of(loaded(kind), grown).argmax(-1)
    assert ours == whole[start.ids.numel() - 1 : -1].tolist()


def test_long_prompts_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    case = engine_prompt(loaded("e_series"), text_prompt(60, seed=6))
    expected, _ = run("e_series", case)
    monkeypatch.setattr(generate_module, "PREFILL_CHUNK", 7)
    seen: list[tuple[int, int]] = []
    found, _ = run("e_series", case, on_prefill=lambda done, total: seen.append((done, total)))
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
    found, end = run("moe", case, Sampling(temperature=0.0), context=20)
    assert (len(found), end.reason) == (7, "context")
    with pytest.raises(ContextError, match=r"13 tokens and the context holds 13") as caught:
        run("moe", case, context=13)
    assert (caught.value.needed, caught.value.limit) == (14, 13)


def test_an_answer_without_a_limit_does_not_claim_the_whole_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """31B's keys and values for 262,144 tokens are 20 GiB, which a GPU would give at once."""
    seen: list[int] = []

    class Watched(DenseKV):
        def __init__(self, *args: object, capacity: int, **options: object) -> None:
            seen.append(capacity)
            super().__init__(*args, capacity=capacity, **options)

    monkeypatch.setattr(generate_module, "DenseKV", Watched)
    case = engine_prompt(loaded("moe"), text_prompt(13, seed=4))
    settings = Sampling(temperature=0.0)
    steps = generate(loaded("moe"), case, settings, stop_ids=frozenset(), context=262_144)
    next(steps)
    steps.close()
    run("moe", case, GREEDY)
    assert seen == [13 + generate_module.EXPECTED_ANSWER, 13 + 20]


def test_no_tokens_asked_gives_none() -> None:
    case = engine_prompt(loaded("moe"), text_prompt(5))
    assert run("moe", case, Sampling(max_tokens=0)) == ([], End("length"))


def test_an_endless_loop_is_ended_and_said() -> None:
    case = engine_prompt(loaded("gemma3_text"), text_prompt(5))
    biased = {"temperature": 0.0, "logit_bias": {7: 100.0}, "max_tokens": 2000}
    found, end = run("gemma3_text", case, Sampling(**biased))
    assert (end, set(found), len(found)) == (End("loop", period=1), {7}, LEAST_TOKENS)
    free, end = run(
        "gemma3_text", case, Sampling(**{**biased, "max_tokens": 300}, loop_guard=False)
    )
    assert (end.reason, len(free)) == ("length", 300)


def test_placeholders_and_media_must_fit() -> None:
    model = loaded("moe")
    image = random_image("moe", columns=2, rows=2)
    case = prompt(5, image, 9)
    placed = place_media(model, case.ids.tolist(), [image])
    assert torch.equal(placed.soft_rows, case.soft_rows)
    assert torch.equal(placed.spans, case.spans)
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
