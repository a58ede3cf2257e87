"""One pass = chunks = token by token = batched with strangers. float32, within 1e-4 of the largest logit.

Shapes differ, so matrix products may sum in another order; greedy ids must be the same all the same.
"""

import pytest
import torch
from tiny_loaded import engine_prompt, loaded, logits_of, pages_for
from tiny_media import prompt, random_audio, random_image, text_prompt
from tiny_towers import relative_error

from gemma4.engine.prompt import Prompt
from gemma4.engine.spans import ImageSpans
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Gemma4

KINDS = ["e_series", "moe", "dense31", "unified", "gemma3_text"]
TOLERANCE = 1e-4


def run_pieces(model: Gemma4, whole: Prompt, cuts: list[int]) -> torch.Tensor:
    pages = pages_for(model)
    pieces = []
    for start, end in zip([0, *cuts], [*cuts, whole.ids.numel()], strict=True):
        kv = pages.begin([end - start])
        pieces.append(logits_of(model, whole, kv=kv, start=start, end=end))
        pages.end([end - start])
    return torch.cat(pieces)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "cuts", [[13], [1, 2, 3], [5, 10, 15, 20, 25], [29, *range(30, 45)], list(range(1, 45))]
)
def test_chunks_and_decode_steps_equal_one_pass(kind: str, cuts: list[int]) -> None:
    model = loaded(kind)
    whole = engine_prompt(model, text_prompt(45, seed=1))
    expected, found = logits_of(model, whole), run_pieces(model, whole, cuts)
    assert relative_error(found, expected) < TOLERANCE
    assert torch.equal(found.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified"])
def test_prefill_with_media_in_chunks_equals_one_pass(kind: str) -> None:
    model = loaded(kind)
    case = prompt(
        *range(20, 31), random_image(kind, columns=4, rows=3), 7, 8, 9,
        random_image(kind, columns=2, rows=2, seed=1), *range(40, 50),
    )  # fmt: skip
    whole = engine_prompt(model, case)
    expected = logits_of(model, whole)
    length, cuts = whole.ids.numel(), [0]
    spans = ImageSpans(None if whole.spans is None else whole.spans.tolist())
    while cuts[-1] < length:
        cuts.append(spans.chunk_end(cuts[-1], min(cuts[-1] + 5, length)))
    found = run_pieces(model, whole, cuts[1:-1])
    assert relative_error(found, expected) < TOLERANCE
    assert torch.equal(found.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_in_the_batch_change_nothing(kind: str) -> None:
    model = loaded(kind)
    alone = [engine_prompt(model, text_prompt(length, seed=length)) for length in (7, 23, 1, 12)]
    pages = pages_for(model, num_requests=len(alone))
    lengths = tuple(one.ids.numel() for one in alone)
    batch = Batch(
        ids=torch.cat([one.ids for one in alone]),
        positions=torch.cat([torch.arange(length) for length in lengths]),
        lengths=lengths,
        logit_rows=torch.tensor(lengths).cumsum(0) - 1,
        kv=pages.begin([*lengths]),
    )
    with torch.inference_mode():
        last = model(batch).logits
    pages.end([*lengths])
    step = Batch(
        ids=torch.arange(50, 54),
        positions=torch.tensor(lengths),
        lengths=(1,) * 4,
        logit_rows=torch.arange(4),
        kv=pages.begin([1] * 4),
    )
    with torch.inference_mode():
        following = model(step).logits
    for index, one in enumerate(alone):
        longer = Prompt(ids=torch.cat((one.ids, step.ids[index : index + 1])))
        expected = logits_of(model, longer)
        assert relative_error(last[index], expected[-2]) < TOLERANCE
        assert relative_error(following[index], expected[-1]) < TOLERANCE
        assert following[index].argmax() == expected[-1].argmax()


def test_sharing_layers_work_without_a_cache_and_with_one() -> None:
    model = loaded("e_series")
    whole = engine_prompt(model, prompt(5, random_audio("e_series", frames=50), 9, 10))
    pages, length = pages_for(model), whole.ids.numel()
    plain, cached = logits_of(model, whole), logits_of(model, whole, kv=pages.begin([length]))
    assert relative_error(cached, plain) < TOLERANCE
    owners = [spec.index for spec in model.decoder.specs if spec.owns_kv]
    assert owners == [0, 1, 2, 3, 4]
    assert [group.layers for group in pages.storage.groups] == [(0, 1, 2, 3), (4,)]
