"""Any picture mode to 8-bit RGB."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemma4.errors import MediaError

_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_WHITE = (255, 255, 255, 255)


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert to uint8 [height, width, 3]; what is transparent shows white, as in the reference.

    16-bit grey is scaled to 8 bits; Pillow would cut it off at 255.

    Raises:
        MediaError: samples of 32 bits, which have no agreed scale.
    """
    if image.mode in _SIXTEEN_BIT:
        image = _scale_sixteen_bit(image)
    if image.mode == "F":
        raise MediaError("a picture of floating-point samples; save it with 8 or 16 bits a sample")
    if _has_transparency(image):
        canvas = Image.new("RGBA", image.size, _WHITE)
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return np.asarray(image.convert("RGB"))


def _has_transparency(image: Image.Image) -> bool:
    # Premultiplied modes spell their band "a".
    bands = image.getbands()
    return "A" in bands or "a" in bands or image.info.get("transparency") is not None


def _scale_sixteen_bit(image: Image.Image) -> Image.Image:
    samples = np.asarray(image).astype(np.int64)
    low, high = int(samples.min()), int(samples.max())
    if low < 0 or high > 65535:
        raise MediaError(
            f"grey samples from {low} to {high}, the limits are 0 and 65535; "
            "save it with 8 or 16 bits a sample"
        )
    grey = ((samples + 128) // 257).astype(np.uint8)  # 65535 = 255 · 257
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[samples == transparent] = 255
    return Image.fromarray(grey)
