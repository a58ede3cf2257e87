"""Decode a still picture to 8-bit RGB, upright, and prepare it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gemma4.errors import EnvironmentFault, MediaError
from gemma4.media.colour import to_rgb
from gemma4.media.patches import check_budget, picture_input
from gemma4.media.source import MediaSource, Source, resolve_source
from gemma4.media.types import ImageInput

MAX_PIXELS = 120_000_000  # a 108-megapixel telephone picture passes; decoded, 360 MB

# Only formats decoded in this process: PostScript, for one, would start another program.
FORMATS = (
    "PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "ICO",
    "TGA", "QOI",
)  # fmt: skip

_FOREIGN = (
    (b"%PDF", "a PDF document; render the page to PNG first"),
    (b"%!PS", "a PostScript file; render it to PNG first"),
    (b"<svg", "an SVG drawing; render it to PNG first"),
    (b"ftyphei", "a HEIC picture; save it as JPEG first"),
    (b"ftypmif1", "a HEIF picture; save it as JPEG first"),
)

# Pillow logs what it cannot read before raising; without a handler, that goes to standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Decoded pixels uint8 [height, width, 3], and how many pictures the file holds."""

    pixels: NDArray[np.uint8]
    pictures: int


def prepare_image(source: Source, *, budget: int = 280, merged: bool = False) -> ImageInput:
    """Read a picture and cut it into patches.

    The picture is turned upright as its EXIF data say; transparent parts are laid on white; of an
    animation or a file of several pages the first picture is taken, and the usage says so.

    Args:
        budget: most soft tokens it may take: 70, 140, 280, 560 or 1120.
        merged: 48×48 patches as the 12B takes them.

    Raises:
        MediaError: not a picture, damaged, too large, or an unknown budget.
    """
    check_budget(budget)
    picture = decode_picture(resolve_source(source))
    note = f"first of {picture.pictures} frames" if picture.pictures > 1 else ""
    return picture_input(picture.pixels, budget=budget, merged=merged, note=note)


def decode_picture(source: MediaSource) -> Picture:
    """Decode the first picture of `source`.

    Raises:
        MediaError: not a picture, damaged, or more than `MAX_PIXELS`.
    """
    with source.open() as stream, _quiet():
        try:
            image = Image.open(stream, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise MediaError(
                f"{source.name}: over the limit of {MAX_PIXELS} pixels ({error}); "
                "scale it down first"
            ) from error
        except Exception as error:
            # Pillow's readers raise whatever a damaged header leads to: no narrower type holds.
            raise _not_a_picture(source) from error
        _check_pixels(source, image.width, image.height)
        try:
            image.load()
            pictures = _count_pictures(image)
            ImageOps.exif_transpose(image, in_place=True)
            pixels = to_rgb(image)
        except MediaError as error:
            raise MediaError(f"{source.name}: {error}") from error
        except MemoryError as error:
            raise EnvironmentFault(
                f"{source.name}: too little memory to decode {image.width}×{image.height} px; "
                "free some, or scale the picture down first"
            ) from error
        except Exception as error:  # as above, for damaged content
            raise MediaError(
                f"{source.name}: a damaged or truncated {image.format} picture of "
                f"{image.width}×{image.height} px ({_reason(error)}); copy or export it again"
            ) from error
    return Picture(pixels=pixels, pictures=pictures)


def _check_pixels(source: MediaSource, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"{source.name}: {width}×{height} = {width * height} pixels, the limit is "
            f"{MAX_PIXELS}; scale it down first"
        )


def _count_pictures(image: Image.Image) -> int:
    # The further pictures of an MPO are previews or depth maps of the first, not content.
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _not_a_picture(source: MediaSource) -> MediaError:
    with source.open() as stream:
        head = stream.read(1024)
    for mark, words in _FOREIGN:
        if mark in head:
            return MediaError(f"{source.name} is {words}")
    return MediaError(
        f"{source.name} is no picture that can be read (it begins with {head[:12]!r}); "
        "save it as PNG, JPEG or WebP"
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns where this module raises (large pictures) or need not care (odd metadata)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
