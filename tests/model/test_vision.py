"""The vision tower against transformers', in float32 unless a test says otherwise."""

from copy import deepcopy

import pytest
import torch
from tiny_media import random_image, random_video
from tiny_models import build
from tiny_oracle import oracle_soft_tokens, stack_images
from tiny_towers import as_tensors, projector, relative_error, vision_config, vision_tower
from transformers import Gemma4VisionConfig, Gemma4VisionModel

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.model.projector import Projector
from gemma4.model.vision import VisionTower

KINDS = ("e_series", "moe", "dense31")
SIZES = ((1, 1), (5, 3), (3, 5), (1, 12), (9, 8))
PARAMETERS = {
    "e2b": 168_544_704,
    "e4b": 169_331_136,
    "26b-a4b": 572_794_416,
    "31b": 575_743_536,
}
REAL = {
    "e2b": Gemma4VisionConfig(use_clipped_linears=True),
    "31b": Gemma4VisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        num_key_value_heads=16,
        head_dim=72,
        standardize=True,
    ),
}


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_soft_tokens_equal_the_reference(kind, columns, rows):
    image = random_image(kind, columns=columns, rows=rows, seed=columns)
    found = projector(kind, "embed_vision")(vision_tower(kind)(*as_tensors(image)))
    assert found.shape == (columns * rows, 64)
    assert relative_error(found, oracle_soft_tokens(kind, image)) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_images_one_at_a_time_equal_the_reference_padded_batch(kind):
    images = [random_image(kind, columns=c, rows=r, seed=c) for c, r in SIZES]
    expected = build(kind).model.vision_tower(*stack_images(images)).last_hidden_state
    found = torch.cat([vision_tower(kind)(*as_tensors(image)) for image in images])
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_one_size_may_be_stacked(kind):
    frames = random_video(kind, frames=3, columns=4, rows=2).frames
    tower = vision_tower(kind)
    apart = torch.stack([tower(*as_tensors(frame)) for frame in frames])
    patches, positions = zip(*map(as_tensors, frames), strict=True)
    together = tower(torch.stack(patches), torch.stack(positions))
    assert relative_error(together, apart) < 1e-5


def test_the_order_of_patches_does_not_matter():
    patches, positions = as_tensors(random_image("moe", columns=4, rows=3))
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))
    tower = vision_tower("moe")
    shuffled = tower(patches[order], positions[order])
    assert relative_error(shuffled, tower(patches, positions)) < 1e-5


def test_two_pictures_give_different_soft_tokens():
    first, second = (random_image("e_series", columns=3, rows=3, seed=s) for s in (0, 1))
    tower = vision_tower("e_series")
    assert relative_error(tower(*as_tensors(first)), tower(*as_tensors(second))) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_stays_as_near_to_float32_as_the_reference_does(kind):
    """Both with weights rounded to bfloat16; root-mean-square error, 10 % to spare."""
    patches, positions = as_tensors(random_image(kind, columns=6, rows=5))
    rounded = vision_tower(kind).bfloat16()
    exact = deepcopy(rounded).float()(patches, positions)
    reference = deepcopy(build(kind).model.vision_tower).bfloat16()
    theirs = reference(patches[None], positions[None]).last_hidden_state.float()
    ours_off = (rounded(patches, positions) - exact).norm() / exact.norm()
    theirs_off = (theirs - exact).norm() / exact.norm()
    assert 0 < ours_off < 1.1 * theirs_off < 0.05


def test_float16_does_not_overflow_where_the_pooled_values_do():
    """√D times what the last norm leaves goes past 65504; the result stays finite and right."""
    tower = vision_tower("e_series").half()
    tower.patch_embedder.position_embedding_table.zero_()
    tower.encoder.layers[-1].post_feedforward_layernorm.weight.fill_(12_000)
    patches, positions = as_tensors(random_image("e_series", columns=3, rows=2))
    patches = patches[:1].expand_as(patches)  # all alike, so that the mean is no smaller
    found = tower(patches, positions)
    expected = deepcopy(tower).float()(patches, positions)
    assert found.abs().max() > torch.finfo(torch.float16).max
    assert relative_error(found, expected) < 1e-2  # float16 rounding through two layers


@pytest.mark.parametrize("name", REAL)
def test_the_real_tower_has_every_tensor_of_the_reference(name):
    """Names and shapes, with nothing allocated."""
    with torch.device("meta"):
        ours = VisionTower(PUBLISHED_MODELS[name].vision)
        reference = Gemma4VisionModel(REAL[name])
    assert _shapes(ours) == _shapes(reference)
    assert PUBLISHED_MODELS[name].vision == vision_config(REAL[name])


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_real_tower_and_projector_have_the_published_size(name):
    """Clip bounds and standardization counted."""
    config = PUBLISHED_MODELS[name]
    with torch.device("meta"):
        tower = VisionTower(config.vision)
        embed = Projector(config.vision.hidden_size, config.text.hidden_size, 1e-6)
    tensors = [*tower.state_dict().values(), *embed.state_dict().values()]
    assert sum(tensor.numel() for tensor in tensors) == PARAMETERS[name]


def _shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
