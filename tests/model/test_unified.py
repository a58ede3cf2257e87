"""The 12B's embedders against transformers', in float32 unless a test says otherwise."""

from copy import deepcopy

import pytest
import torch
from safetensors import safe_open
from tiny_media import random_audio, random_image, random_video
from tiny_models import save_tiny
from tiny_oracle import oracle_soft_tokens
from tiny_towers import as_tensors, projector, relative_error, unified_embedder

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.model.projector import Projector
from gemma4.model.unified import UnifiedVisionEmbedder

KIND = "unified"


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (5, 3), (3, 5), (1, 12), (16, 17)])
def test_image_soft_tokens_equal_the_reference(columns, rows):
    image = random_image(KIND, columns=columns, rows=rows, seed=columns)
    found = projector(KIND, "embed_vision")(unified_embedder(KIND)(*as_tensors(image)))
    assert found.shape == (columns * rows, 64)
    assert relative_error(found, oracle_soft_tokens(KIND, image)) < 1e-5


def test_frames_of_one_size_may_be_stacked():
    video = random_video(KIND, frames=3, columns=4, rows=2)
    patches, positions = zip(*map(as_tensors, video.frames), strict=True)
    hidden = unified_embedder(KIND)(torch.stack(patches), torch.stack(positions))
    found = projector(KIND, "embed_vision")(hidden).flatten(0, 1)
    assert relative_error(found, oracle_soft_tokens(KIND, video)) < 1e-5


@pytest.mark.parametrize("frames", [1, 25, 750])
def test_audio_soft_tokens_equal_the_reference(frames):
    sound = random_audio(KIND, frames=frames)
    found = projector(KIND, "embed_audio")(as_tensors(sound)[0])
    assert relative_error(found, oracle_soft_tokens(KIND, sound)) < 1e-5


def test_silence_is_finite():
    assert torch.equal(projector(KIND, "embed_audio")(torch.zeros(2, 640)), torch.zeros(2, 64))


def test_bfloat16_stays_within_its_rounding_of_float32():
    """Root-mean-square error; five roundings of 2^-9 each."""
    patches, positions = as_tensors(random_image(KIND, columns=6, rows=5))
    rounded = unified_embedder(KIND).bfloat16()
    exact = deepcopy(rounded).float()(patches, positions)
    found = rounded(patches, positions)
    assert found.dtype is torch.bfloat16
    assert 0 < (found.float() - exact).norm() / exact.norm() < 5 * 2**-9


def test_module_paths_are_the_names_in_the_checkpoint(tmp_path):
    with safe_open(save_tiny(KIND, tmp_path) / "model.safetensors", framework="pt") as file:
        names = set(file.keys())
    prefix = "model.vision_embedder."
    stored = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    projections = {name for name in names if "embedding_projection" in name}
    assert stored == set(unified_embedder(KIND).state_dict())
    assert projections == {
        "model.embed_audio.embedding_projection.weight",
        "model.embed_vision.embedding_projection.weight",
    }


def test_the_real_embedders_have_the_published_shapes_and_size():
    config = PUBLISHED_MODELS["12b"]
    width = config.text.hidden_size
    with torch.device("meta"):
        eyes = UnifiedVisionEmbedder(config.vision)
        embed_vision = Projector(config.vision.output_size, width, config.vision.norm_eps)
        embed_audio = Projector(config.audio.samples_per_token, width, config.audio.norm_eps)
    assert {name: tuple(t.shape) for name, t in eyes.state_dict().items()} == {
        "patch_ln1.weight": (6912,),
        "patch_ln1.bias": (6912,),
        "patch_dense.weight": (3840, 6912),
        "patch_dense.bias": (3840,),
        "patch_ln2.weight": (3840,),
        "patch_ln2.bias": (3840,),
        "pos_embedding": (1120, 2, 3840),
        "pos_norm.weight": (3840,),
        "pos_norm.bias": (3840,),
    }
    seen = [*eyes.parameters(), *embed_vision.parameters()]
    assert sum(tensor.numel() for tensor in seen) == 49_922_304
    assert sum(tensor.numel() for tensor in embed_audio.parameters()) == 2_457_600
