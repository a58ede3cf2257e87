"""The towers through native kernels beside the modules, whose arithmetic in float32 is the measure."""

from copy import deepcopy

import gguf
import numpy as np
import pytest
import torch
from torch import nn

from gemma4.config import AudioConfig, VisionConfig
from gemma4.errors import InputError
from gemma4.kernels.native import Native, find_native
from gemma4.model.audio import AudioTower
from gemma4.model.clippable_linear import ClippableLinear
from gemma4.model.native.audio import NativeAudioTower
from gemma4.model.native.tower_program import multiply
from gemma4.model.native.towers import NativeProjector
from gemma4.model.native.vision import NativeVisionTower
from gemma4.model.projector import Projector
from gemma4.model.vision import VisionTower
from gemma4.quant import FORMATS, BlockMatrix, PackedLinear

SMALL = VisionConfig(
    hidden_size=96,
    intermediate_size=160,
    num_layers=2,
    num_heads=4,
    num_kv_heads=4,
    head_dim=32,
    position_embedding_size=64,
    clips_linears=True,
    standardizes=False,
)
BORROWED = VisionConfig(  # heads that share keys, of a width that no number of lanes divides
    hidden_size=64,
    intermediate_size=112,
    num_layers=2,
    num_heads=6,
    num_kv_heads=2,
    head_dim=24,
    position_embedding_size=64,
    clips_linears=False,
    standardizes=True,
)
SOUND = AudioConfig(hidden_size=128, num_layers=2, num_heads=4, output_size=48, clips_linears=True)
BFLOAT = torch.bfloat16


def native() -> Native:
    found = find_native(num_threads=2)
    assert isinstance(found, Native), found
    return found


def filled(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights, rounded to bfloat16 and kept in float32; bounds that clip a few in a hundred."""
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        spread = 0.3 if parameter.ndim < 2 else parameter[0].numel() ** -0.5
        parameter.copy_(torch.randn(parameter.shape, generator=draw) * spread)
        if parameter.ndim < 2:
            parameter += 1.0
        if "q_norm" in name:
            parameter *= 0.25  # scores of a few units: attention is no lottery
    for part in module.modules():
        if isinstance(part, ClippableLinear) and part.clips:
            for name in ("input", "output"):
                limit = 2.0 + float(torch.rand(1, generator=draw))
                getattr(part, f"{name}_min").fill_(-limit)
                getattr(part, f"{name}_max").fill_(limit * 1.2)
    return module.requires_grad_(False).eval().bfloat16().float()


def picture(columns: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    positions = torch.cartesian_prod(torch.arange(3 * rows), torch.arange(3 * columns)).flip(-1)
    draw = torch.Generator().manual_seed(columns)
    return torch.rand(len(positions), 768, generator=draw), positions


def off(found: torch.Tensor, exact: torch.Tensor) -> float:
    """Root-mean-square error, relative."""
    assert found.shape == exact.shape
    return float((found.double() - exact.double()).norm() / exact.double().norm())


def vision(config: VisionConfig) -> VisionTower:
    with torch.no_grad():
        tower = filled(VisionTower(config))
    assert isinstance(tower, VisionTower)
    return tower


def audio() -> AudioTower:
    with torch.no_grad():
        tower = filled(AudioTower(SOUND))
    assert isinstance(tower, AudioTower)
    return tower


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (3, 5), (8, 8)])
@pytest.mark.parametrize("config", [SMALL, BORROWED], ids=["clipped", "borrowed"])
def test_images_stay_within_bfloat16_rounding(config, columns, rows):
    """Both with bfloat16 weights: no further from float32 than torch in bfloat16, 10 % to spare.

    9, 135 and 576 patches: less than a tile, an odd number, and more keys than a block holds.
    """
    tower, kernels = vision(config), native()
    patches, positions = picture(columns, rows)
    exact = tower(patches, positions)
    rounded = deepcopy(tower).bfloat16()
    found = NativeVisionTower(rounded, kernels)(patches, positions)
    assert found.dtype is torch.float32
    assert 0 < off(found, exact) < 1.1 * off(rounded(patches, positions), exact) < 0.05


def test_float32_weights_leave_only_the_rounding_of_attention():
    """Attention multiplies in bfloat16: 2^-9 for each of query, key, weight and value."""
    tower, kernels = vision(SMALL), native()
    patches, positions = picture(4, 3)
    found = NativeVisionTower(tower, kernels)(patches, positions)
    assert off(found, tower(patches, positions)) < 4 * 2**-9


def test_images_of_one_size_may_be_stacked():
    tower, kernels = vision(SMALL), native()
    fast = NativeVisionTower(tower, kernels)
    patches, positions = picture(2, 2)
    other = patches.flip(0)
    both = fast(torch.stack([patches, other]), torch.stack([positions, positions]))
    assert torch.equal(both, torch.stack([fast(patches, positions), fast(other, positions)]))


def test_a_patch_that_is_no_number_shows():
    tower, kernels = vision(SMALL), native()
    patches, positions = picture(2, 2)
    patches[5, 7] = torch.nan
    assert NativeVisionTower(tower, kernels)(patches, positions).isnan().all()


@pytest.mark.parametrize(("frames", "padding"), [(1, 0), (3, 2), (46, 3), (97, 11), (330, 0)])
def test_sounds_stay_within_bfloat16_rounding(frames, padding):
    """As for images."""
    tower, kernels = audio(), native()
    features = torch.randn(frames + padding, 128, generator=torch.Generator().manual_seed(frames))
    mask = torch.arange(frames + padding) < frames
    exact = tower(features, mask)
    rounded = deepcopy(tower).bfloat16()
    found = NativeAudioTower(rounded, kernels)(features, mask)
    assert found.dtype is torch.float32
    assert 0 < off(found, exact) < 1.1 * off(rounded(features, mask), exact) < 0.05


def test_a_sound_in_float32_equals_the_modules():
    """float32 throughout: only the order of sums differs."""
    tower, kernels = audio(), native()
    features = torch.randn(150, 128, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(150) < 141
    found = NativeAudioTower(tower, kernels)(features, mask)
    assert off(found, tower(features, mask)) < 1e-5


def test_padding_in_front_of_a_sound_is_refused():
    tower, kernels = audio(), native()
    mask = torch.arange(80) >= 20
    with pytest.raises(InputError, match=r"5 of 20 tokens .* put all padding at the end"):
        NativeAudioTower(tower, kernels)(torch.randn(80, 128), mask)


@pytest.mark.parametrize(("name", "bound"), [("F16", 5 * 2**-9), ("Q8_0", 0.02)])
def test_matrices_are_read_as_they_lie_in_the_file(name, bound):
    """Beside the modules on the same numbers. F16: attention's rounding and one more. Q8_0: activations
    of 8 bits, 1/254 of a group's largest, 14 products one after the other."""
    tower, kernels = vision(SMALL), native()
    for part in tower.modules():
        if isinstance(part, ClippableLinear):
            part.linear = stored(part.linear, name)
    patches, positions = picture(4, 3)
    found = NativeVisionTower(tower, kernels)(patches, positions)
    assert 0 < off(found, tower(patches, positions)) < bound


def test_float16_is_rounded_to_bfloat16_as_it_is_read():
    """Bit for bit what bfloat16 weights give, where float16 holds them; else to nearest, ties away from 0."""
    kernels, draw = native(), torch.Generator().manual_seed(5)
    linear = nn.Linear(48, 32, bias=False).requires_grad_(False)
    linear.weight.copy_(torch.randn(32, 48, generator=draw).bfloat16())
    for count in (1, 8, 9, 40):  # tokens of one panel, and of more
        x = torch.randn(count, 48, generator=draw)
        rounded = multiply(kernels, deepcopy(linear).bfloat16(), x)
        assert torch.equal(multiply(kernels, stored(linear, "F16"), x), rounded)
        assert torch.equal(multiply(kernels, deepcopy(linear).half(), x), rounded)
    step = 2.0**-7  # between 1 and 2
    cases = {1 + 0.5 * step: 1 + step, 1 + 0.25 * step: 1.0, -1 - 1.5 * step: -1 - 2 * step}
    for value, expected in {**cases, float("inf"): float("inf")}.items():
        linear.weight.zero_()
        linear.weight[:, 0] = value
        found = multiply(kernels, deepcopy(linear).half(), torch.eye(48)[:1].repeat(9, 1))
        assert (found == expected).all(), (value, found[0, 0])
    linear.weight[:, 0] = torch.nan
    assert multiply(kernels, deepcopy(linear).half(), torch.ones(9, 48)).isnan().all()


def stored(linear: nn.Linear, name: str) -> PackedLinear:
    """The linear with its weight in a file's format."""
    weight = linear.weight.detach().numpy()
    raw = gguf.quants.quantize(weight, gguf.GGMLQuantizationType[name]).view(np.uint8)
    raw = np.ascontiguousarray(raw).reshape(len(weight), -1)
    return PackedLinear(BlockMatrix(format=FORMATS[name], raw=raw, columns=weight.shape[1]))


def test_the_projector_rounds_as_bfloat16_does():
    kernels = native()
    with torch.no_grad():
        exact = filled(Projector(96, 64, 1e-6))
    rounded = deepcopy(exact).bfloat16()
    soft = torch.randn(7, 96, generator=torch.Generator().manual_seed(4)) * 100
    found = NativeProjector(rounded, kernels)(soft)
    assert 0 < off(found, exact(soft)) < 2**-8  # one rounding of the activations
