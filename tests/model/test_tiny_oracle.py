"""The oracle has teeth: what an implementation could forget changes its numbers. float32."""

import pytest
import torch
from tiny_media import Prompt, prompt, random_image, text_prompt
from tiny_models import DRAFTERS, KINDS, build
from tiny_oracle import oracle_drafts, oracle_logits
from transformers import Gemma4TextConfig


@pytest.mark.parametrize("kind", ["moe", "dense31", "unified"])
def test_seeing_an_image_one_way_changes_the_logits(kind):
    seen = prompt(5, 6, random_image(kind, columns=3, rows=2), 7, 8)
    one_way = Prompt(ids=seen.ids, types=torch.zeros_like(seen.types), media=seen.media)
    assert (oracle_logits(kind, seen) - oracle_logits(kind, one_way)).abs().max() > 0.5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in DRAFTERS])
def test_a_token_beyond_the_window_still_counts_through_the_full_layers(kind):
    first, second = text_prompt(24), text_prompt(24)
    second.ids[1] += 1
    difference = (oracle_logits(kind, first) - oracle_logits(kind, second)).abs().amax(dim=-1)
    assert difference[0] < 1e-5  # a causal row: rounding only
    assert difference[-1] > 1e-3


@pytest.mark.parametrize("kind", DRAFTERS)
def test_drafts_depend_on_the_prompt_and_not_on_its_last_token_alone(kind):
    first, second = text_prompt(24), text_prompt(24)
    second.ids[1] += 1
    difference = oracle_drafts(kind, first, 2)[1] - oracle_drafts(kind, second, 2)[1]
    assert difference.abs().max() > 1e-3


def test_the_repair_of_transformers_does_not_outlive_the_build():
    """Stock, a model without sharing layers stores nothing."""
    build("drafter_dense")
    assert set(Gemma4TextConfig(num_kv_shared_layers=0).kv_sharing_modes) == {None}
