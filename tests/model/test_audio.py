"""The audio tower against transformers', in float32 unless a test says otherwise."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from tiny_media import random_audio
from tiny_models import build
from tiny_oracle import oracle_soft_tokens, stack_audio
from tiny_towers import as_tensors, audio_config, audio_tower, projector, relative_error
from transformers import Gemma4AudioConfig, Gemma4AudioModel

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import ConfigError
from gemma4.model.audio import AudioTower
from gemma4.model.projector import Projector

KIND = "e_series"
PARAMETERS = {"e2b": 307_184_384, "e4b": 308_757_248}


@pytest.mark.parametrize(
    ("frames", "padding"),
    [
        (1, 0),  # one token
        (3, 2),
        (45, 0),  # a chunk of 12 tokens
        (46, 3),
        (49, 0),  # a chunk and a token
        (97, 11),
        (330, 0),
        (2997, 3),  # 30 s
        (3000, 0),
    ],
)
def test_soft_tokens_equal_the_reference(frames, padding):
    sound = random_audio(KIND, frames=frames, padding=padding, seed=frames)
    found = projector(KIND, "embed_audio")(audio_tower(KIND)(*as_tensors(sound)))
    assert found.shape == (sound.soft_tokens, 64)
    assert relative_error(found, oracle_soft_tokens(KIND, sound)) < 1e-5


def test_sounds_one_at_a_time_equal_the_reference_padded_batch():
    sounds = [random_audio(KIND, frames=n, padding=n % 3, seed=n) for n in (5, 61, 100, 331)]
    reference = build(KIND).model.audio_tower(*stack_audio(sounds))
    expected = reference.last_hidden_state[reference.attention_mask]
    found = torch.cat([audio_tower(KIND)(*as_tensors(sound)) for sound in sounds])
    assert relative_error(found, expected) < 1e-5


def test_what_stands_in_padding_frames_changes_nothing():
    features, mask = as_tensors(random_audio(KIND, frames=61, padding=40))
    tower = audio_tower(KIND)
    noisy = torch.where(mask[:, None], features, torch.tensor(1e4))
    assert torch.equal(tower(noisy, mask), tower(features, mask))
    assert relative_error(tower(features[:61], mask[:61]), tower(features, mask)) < 1e-5


def test_a_sound_reaches_the_future_only_through_the_subsampling():
    """A frame changes the tokens from its own on; the convolutions look three frames ahead."""
    features, mask = as_tensors(random_audio(KIND, frames=200))
    tower = audio_tower(KIND)
    before = tower(features, mask)
    features[103] += 1.0
    changed = (tower(features, mask) != before).any(dim=-1).nonzero().squeeze(-1)
    assert changed.min() == 25
    assert changed.max() > 26


def test_bfloat16_stays_as_near_to_float32_as_the_reference_does():
    """Both with weights rounded to bfloat16; root-mean-square error, 10 % to spare."""
    features, mask = as_tensors(random_audio(KIND, frames=333))
    rounded = audio_tower(KIND).bfloat16()
    exact = deepcopy(rounded).float()(features, mask)
    reference = deepcopy(build(KIND).model.audio_tower).bfloat16()
    theirs = reference(features[None], mask[None]).last_hidden_state[0].float()
    ours_off = (rounded(features, mask).float() - exact).norm() / exact.norm()
    theirs_off = (theirs - exact).norm() / exact.norm()
    assert 0 < ours_off < 1.1 * theirs_off < 0.02


def test_float16_is_finite_and_near_float32():
    """The logit of an unseen key, −1e9, and the clamp at 1e10 do not fit float16."""
    features, mask = as_tensors(random_audio(KIND, frames=333, padding=5))
    tower = audio_tower(KIND).half()
    expected = deepcopy(tower).float()(features, mask)
    assert relative_error(tower(features, mask), expected) < 1e-2  # rounding through two layers


def test_the_real_tower_has_every_tensor_of_the_reference():
    """Names and shapes, with nothing allocated."""
    with torch.device("meta"):
        ours = AudioTower(PUBLISHED_MODELS["e2b"].audio)
        reference = Gemma4AudioModel(Gemma4AudioConfig())
    assert _shapes(ours) == _shapes(reference)
    assert PUBLISHED_MODELS["e2b"].audio == audio_config(Gemma4AudioConfig())


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_real_tower_and_projector_have_the_published_size(name):
    config = PUBLISHED_MODELS[name]
    with torch.device("meta"):
        tower = AudioTower(config.audio)
        embed = Projector(config.audio.output_size, config.text.hidden_size, 1e-6)
    tensors = [*tower.state_dict().values(), *embed.state_dict().values()]
    assert sum(tensor.numel() for tensor in tensors) == PARAMETERS[name]


def test_a_reach_that_is_not_the_published_one_is_refused():
    config = replace(PUBLISHED_MODELS["e2b"].audio, context_right=4)
    with pytest.raises(ConfigError, match=r"attention_context_right=4: .* check audio_config"):
        AudioTower(config)


def _shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
