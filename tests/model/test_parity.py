"""Whole models against transformers 5.23.0, through the production loader. float32, CPU.

The bound is 5e-5 of the largest logit: ten random layers magnify rounding about a hundredfold
(transformers against itself, cached against not, differs by up to 3e-5).
"""

import pytest
import torch
from tiny_loaded import engine_prompt, loaded, logits_of
from tiny_media import prompt, random_audio, random_image, random_video, text_prompt
from tiny_oracle import oracle_logits
from tiny_towers import relative_error

from gemma4.model.kv import PassKV

TOLERANCE = 5e-5


def image(kind: str, columns: int, rows: int, seed: int = 0):
    return random_image(kind, columns=columns, rows=rows, seed=seed)


PROMPTS = {
    "text": lambda _: text_prompt(40),
    "one token": lambda _: text_prompt(1),
    "image": lambda kind: prompt(5, 6, image(kind, 4, 2), 9, 10, 11),
    "image first, longer than the window": lambda kind: prompt(image(kind, 6, 4), 9, 10),
    "adjacent images": lambda kind: prompt(5, image(kind, 3, 2), image(kind, 2, 3, 1), 9, 10),
    "several images": lambda kind: prompt(
        5, image(kind, 3, 2), 7, 8, image(kind, 1, 5, 1), 9, image(kind, 2, 2, 2)
    ),
    "video": lambda kind: prompt(5, random_video(kind, frames=3, columns=2, rows=2), 9, 10),
    "image and video": lambda kind: prompt(
        5, random_video(kind, frames=2, columns=2, rows=1), 9, image(kind, 3, 3), 10
    ),
}
HEARD = {
    "audio": lambda kind: prompt(5, random_audio(kind, frames=50), 9, 10),
    "audio, padded": lambda kind: prompt(5, random_audio(kind, frames=37, padding=11), 9, 10),
    "everything": lambda kind: prompt(
        5,
        image(kind, 3, 2),
        random_audio(kind, frames=30),
        7,
        random_video(kind, frames=2, columns=2, rows=2),
        9,
    ),
}
CASES = [
    *((kind, name) for kind in ("e_series", "moe", "dense31", "unified") for name in PROMPTS),
    *(
        (kind, name)
        for kind in ("e_series", "unified")
        for name in HEARD
        if kind != "unified" or "padded" not in name
    ),
    ("gemma3_text", "text"),
    ("gemma3_text", "one token"),
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_logits_equal_the_reference(kind: str, name: str) -> None:
    case = {**PROMPTS, **HEARD}[name](kind)
    model = loaded(kind)
    ours = logits_of(model, engine_prompt(model, case))
    assert relative_error(ours, oracle_logits(kind, case)) < TOLERANCE


@pytest.mark.parametrize("kind", ["moe", "dense31", "unified"])
def test_seeing_an_image_causally_would_show(kind: str) -> None:
    """The tolerance is worth something: without the image mask the logits are far off."""
    case = prompt(5, 6, image(kind, 4, 2), 9, 10, 11)
    model = loaded(kind)
    seen = engine_prompt(model, case)
    blind = type(seen)(ids=seen.ids, soft_rows=seen.soft_rows, soft_tokens=seen.soft_tokens)
    assert relative_error(logits_of(model, blind), oracle_logits(kind, case)) > 0.01


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_rows_asked_for_alone_equal_those_of_the_whole(kind: str) -> None:
    """Layers that borrow their keys run for the wanted rows only; nothing else may change."""
    model = loaded(kind)
    whole = engine_prompt(model, text_prompt(30, seed=3))
    expected = logits_of(model, whole)
    rows = torch.tensor([4, 17, 29])
    batch = whole.batch(0, 30, kv=PassKV(model.decoder.specs), logit_rows=rows)
    with torch.inference_mode():
        some = model(batch).logits
    # float32: a matrix product may sum in another order for other shapes
    assert relative_error(some, expected[rows]) < TOLERANCE
