"""Pictures as patches: the size a budget allows, the cut into 16×16 squares, their positions.

P patches. A soft token is made of 3×3 patches, so sides are multiples of 48 pixels.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemma4.errors import MediaError
from gemma4.media.types import ImageInput, MediaUsage

BUDGETS = (70, 140, 280, 560, 1120)
PATCH_SIDE = 16
TOKEN_SIDE = 48

# Levels in [0, 1], rounded as the reference does: multiplied in float64, then cut to float32.
_LEVELS = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)


def plan_size(width: int, height: int, budget: int) -> tuple[int, int]:
    """The (width, height) in pixels to which a picture is resized, up or down.

    Both are multiples of 48 and the area is at most `budget` squares of 48×48. The aspect ratio is
    kept only as far as rounding down allows; a very long picture gets one row of tokens.
    Floating-point steps are those of the reference, so that rounding falls the same way.

    Raises:
        MediaError: an unknown budget, or no pixel at all.
    """
    check_budget(budget)
    if width < 1 or height < 1:
        raise MediaError(f"a picture of {width}×{height} px has no pixel; at least 1×1 is needed")
    factor = math.sqrt(budget * TOKEN_SIDE**2 / (height * width))
    rows = math.floor(factor * height / TOKEN_SIDE)
    columns = math.floor(factor * width / TOKEN_SIDE)
    # Never both zero: together they cover the budget's area, which is at least 70 squares.
    if rows == 0:
        rows, columns = 1, min(math.floor(width / height), budget)
    elif columns == 0:
        rows, columns = min(math.floor(height / width), budget), 1
    return columns * TOKEN_SIDE, rows * TOKEN_SIDE


def check_budget(budget: int) -> None:
    """Refuse a budget that the models were not made for.

    Raises:
        MediaError: not one of `BUDGETS`.
    """
    if budget not in BUDGETS:
        allowed = ", ".join(map(str, BUDGETS))
        raise MediaError(f"a picture budget of {budget} soft tokens: must be one of {allowed}")


def soft_tokens_for_size(width: int, height: int, budget: int = 280) -> int:
    """Soft tokens of a picture of `width`×`height` pixels (as displayed), without decoding it.

    Raises:
        MediaError: an unknown budget, or no pixel at all.
    """
    planned_width, planned_height = plan_size(width, height, budget)
    return planned_width * planned_height // TOKEN_SIDE**2


def resize_pixels(pixels: NDArray[np.uint8], budget: int) -> NDArray[np.uint8]:
    """Resize [height, width, 3] to its planned size: bicubic with antialias, on 8-bit levels."""
    height, width = pixels.shape[:2]
    planned = plan_size(width, height, budget)
    if planned == (width, height):
        return pixels
    resized = Image.fromarray(pixels).resize(planned, resample=Image.Resampling.BICUBIC)
    return np.asarray(resized)


def cut_patches(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Cut [height, width, 3] into [P, side·side·3], values ordered (row, column, channel)."""
    height, width, channels = pixels.shape
    squares = pixels.reshape(height // side, side, width // side, side, channels)
    flat = squares.transpose(0, 2, 1, 3, 4).reshape(-1, side * side * channels)
    return _LEVELS[flat]


def grid_positions(columns: int, rows: int) -> NDArray[np.int64]:
    """Positions [columns·rows, 2] as (x = column, y = row), in raster order."""
    y, x = np.divmod(np.arange(columns * rows, dtype=np.int64), columns)
    return np.stack([x, y], axis=-1)


def picture_input(
    pixels: NDArray[np.uint8], *, budget: int, merged: bool, note: str = ""
) -> ImageInput:
    """Resize and cut decoded pixels [height, width, 3].

    Args:
        budget: most soft tokens, one of `BUDGETS`.
        merged: patches of 48×48 (12B) instead of 16×16.
        note: what decoding left out, for the usage; a note means that something was lost.

    Raises:
        MediaError: an unknown budget, or no pixel at all.
    """
    height, width = pixels.shape[:2]
    resized = resize_pixels(pixels, budget)
    new_height, new_width = resized.shape[:2]
    side = TOKEN_SIDE if merged else PATCH_SIDE
    soft_tokens = new_height * new_width // TOKEN_SIDE**2
    usage = MediaUsage(
        kind="image",
        soft_tokens=soft_tokens,
        original=f"{width}×{height} px",
        used=f"{new_width}×{new_height} px" + (f", {note}" if note else ""),
        reduced=new_width < width or new_height < height or bool(note),
    )
    heading = f"image {side} {new_width} {new_height} ".encode()
    return ImageInput(
        patches=cut_patches(resized, side),
        positions=grid_positions(new_width // side, new_height // side),
        soft_tokens=soft_tokens,
        usage=usage,
        digest=hashlib.sha256(heading + resized.tobytes()).digest(),
    )
