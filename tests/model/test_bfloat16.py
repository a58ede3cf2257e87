"""bfloat16 runs stay within bfloat16's rounding of float32, measured by what transformers' own run does.

Random layers magnify each rounding, and a rounded router picks other experts now and then, so no fixed
bound means much. The reference's own bfloat16 run, from the same weights, is the measure.
"""

import pytest
import torch
from tiny_loaded import engine_prompt, loaded, logits_of
from tiny_media import prompt, random_audio, random_image, text_prompt
from tiny_oracle import oracle_logits

TEXT = [text_prompt(24, seed=seed) for seed in range(4)]


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


def distances(kind: str, cases: list) -> tuple[float, float]:
    """Ours and transformers' mean distance to the float32 logits."""
    exact, rounded = loaded(kind), loaded(kind, torch.bfloat16)
    ours, theirs = [], []
    for case in cases:
        expected = logits_of(exact, engine_prompt(exact, case))
        ours.append(distance(logits_of(rounded, engine_prompt(rounded, case)), expected))
        theirs.append(distance(oracle_logits(kind, case, torch.bfloat16), expected))
    return sum(ours) / len(ours), sum(theirs) / len(theirs)


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_text_is_as_close_to_float32_as_the_references_own_bfloat16(kind: str) -> None:
    ours, theirs = distances(kind, TEXT)
    assert 0 < ours < 1.2 * theirs


@pytest.mark.parametrize("kind", ["e_series", "moe", "unified"])
def test_media_are_as_close_to_float32_as_the_references_own_bfloat16(kind: str) -> None:
    heard = [] if kind == "moe" else [random_audio(kind, frames=30)]
    seen = [random_image(kind, columns=3, rows=2, seed=seed) for seed in range(4)]
    ours, theirs = distances(kind, [prompt(5, image, *heard, 9, 10) for image in seen])
    assert 0 < ours < 1.2 * theirs
