"""Sizes, patches and positions equal the reference image processors."""

import ast
import importlib.util
import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.gemma4.image_processing_pil_gemma4 import (
    Gemma4ImageProcessorPil,
    get_aspect_ratio_preserving_size,
)

from gemma4.errors import MediaError
from gemma4.media import BUDGETS, soft_tokens_for_size
from gemma4.media.patches import picture_input, plan_size

ODD_SIZES = [
    (1, 1), (1, 1000), (1000, 1), (2, 3), (3, 2), (48, 48), (47, 49), (1, 20_000), (20_000, 1),
    (17, 3000), (960, 672), (451, 300), (1920, 1080), (2400, 3200),
]  # fmt: skip


def random_pixels(width: int, height: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_planned_sizes_equal_the_reference_for_any_size_and_budget() -> None:
    source = random.Random(0)
    sizes = [
        (int(10 ** source.uniform(0, 5)), int(10 ** source.uniform(0, 5))) for _ in range(4000)
    ]
    sizes += [(48 * a, 48 * b) for a in range(1, 40) for b in range(1, 40)]
    for (width, height), budget in itertools.product(sizes + ODD_SIZES, BUDGETS):
        expected = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
        planned = plan_size(width, height, budget)
        assert planned == expected[::-1], (width, height, budget)
        tokens = soft_tokens_for_size(width, height, budget)
        assert tokens == planned[0] * planned[1] // 2304
        assert 1 <= tokens <= budget


@pytest.mark.parametrize("budget", BUDGETS)
def test_patches_positions_and_counts_equal_the_reference(budget: int) -> None:
    source = random.Random(budget)
    sizes = [(int(10 ** source.uniform(0, 3)), int(10 ** source.uniform(0, 3))) for _ in range(4)]
    processor = Gemma4ImageProcessorPil(max_soft_tokens=budget)
    for seed, (width, height) in enumerate(sizes + ODD_SIZES):
        pixels = random_pixels(width, height, seed)
        ours = picture_input(pixels, budget=budget, merged=False)
        reference = processor(Image.fromarray(pixels))
        count = len(ours.patches)
        values = np.asarray(reference["pixel_values"][0])
        positions = np.asarray(reference["image_position_ids"][0])
        assert ours.patches.dtype == np.float32
        np.testing.assert_array_equal(ours.patches, values[:count])  # float32, exact
        np.testing.assert_array_equal(ours.positions, positions[:count])
        assert (positions[count:] == -1).all()
        assert ours.soft_tokens == reference["num_soft_tokens_per_image"][0]
        assert ours.soft_tokens == soft_tokens_for_size(width, height, budget)


def reference_patches_merge() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """The 12B processor's own function; its module needs torchvision, this function does not."""
    package = importlib.util.find_spec("transformers.models.gemma4_unified")
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0])
    tree = ast.parse((folder / "image_processing_gemma4_unified.py").read_text())
    function = next(node for node in tree.body if getattr(node, "name", "") == "patches_merge")
    names: dict[str, object] = {"torch": torch, "math": math}
    exec(compile(ast.Module([function], []), "patches_merge", "exec"), names)
    return cast(Callable[..., tuple[torch.Tensor, torch.Tensor]], names["patches_merge"])


@pytest.mark.parametrize("size", [(451, 300), (1, 1000), (1000, 1), (640, 640), (30, 1999)])
@pytest.mark.parametrize("budget", [70, 280])
def test_merged_patches_equal_the_reference_arithmetic(size: tuple[int, int], budget: int) -> None:
    pixels = random_pixels(*size, seed=1)
    small = picture_input(pixels, budget=budget, merged=False)
    ours = picture_input(pixels, budget=budget, merged=True)
    patches, positions = reference_patches_merge()(
        torch.from_numpy(small.patches)[None],
        torch.from_numpy(small.positions)[None],
        small.soft_tokens,
    )
    np.testing.assert_array_equal(ours.patches, patches[0].numpy())  # float32, exact
    np.testing.assert_array_equal(ours.positions, positions[0].numpy())
    assert ours.soft_tokens == small.soft_tokens == len(ours.patches)


def test_a_merged_patch_is_the_square_of_48_pixels_it_stands_for() -> None:
    pixels = random_pixels(960, 672, seed=2)  # 20×14 squares: 280 tokens, not resized
    ours = picture_input(pixels, budget=280, merged=True)
    for index, (x, y) in enumerate(ours.positions):
        square = pixels[48 * y : 48 * y + 48, 48 * x : 48 * x + 48]
        expected = square.reshape(-1) / 255
        np.testing.assert_allclose(ours.patches[index], expected, rtol=0, atol=1e-7)  # float32


def test_usage_says_what_was_lost() -> None:
    down = picture_input(random_pixels(1920, 1080, 0), budget=280, merged=False).usage
    assert (down.original, down.used, down.reduced) == ("1920×1080 px", "1056×576 px", True)
    assert down.soft_tokens == 22 * 12
    up = picture_input(random_pixels(100, 100, 0), budget=280, merged=False).usage
    assert (up.used, up.reduced) == ("768×768 px", False)
    long = picture_input(random_pixels(20_000, 1, 0), budget=70, merged=False).usage
    assert (long.used, long.reduced) == ("3360×48 px", True)  # more pixels, yet less detail


def test_digest_tells_pixels_and_preparation_apart() -> None:
    pixels = random_pixels(100, 50, 0)
    other = pixels.copy()
    other[20:40] ^= 255
    digests = {
        picture_input(p, budget=b, merged=m).digest
        for p in (pixels, other)
        for b in (70, 280)
        for m in (False, True)
    }
    assert len(digests) == 8
    again = picture_input(pixels.copy(), budget=70, merged=False).digest
    assert again in digests


@pytest.mark.parametrize("budget", [0, -70, 69, 256, 300, 2240])
def test_other_budgets_are_refused(budget: int) -> None:
    words = rf"budget of {budget} soft tokens: must be one of 70, 140, 280, 560, 1120"
    with pytest.raises(MediaError, match=words):
        soft_tokens_for_size(100, 100, budget)


def test_a_size_without_pixels_is_refused() -> None:
    with pytest.raises(MediaError, match="0×10 px has no pixel; at least 1×1"):
        soft_tokens_for_size(0, 10)
