"""Every kind of picture is decoded upright to RGB; what is no picture is refused in one line."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from gemma4.errors import MediaError
from gemma4.media import prepare_image
from gemma4.media.image import FORMATS, MAX_PIXELS, decode_picture
from gemma4.media.source import resolve_source

DATA = Path(__file__).parents[1] / "data" / "media"
PHOTO = DATA / "photo.jpg"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(source: bytes | Path) -> np.ndarray:
    return decode_picture(resolve_source(source)).pixels


def gradient(width: int = 40, height: int = 24) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 6, y * 10, x + y], axis=-1).astype(np.uint8))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def claimed_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; its content is a few bytes of zeros, compressed."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(bytes(100))
    parts = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", content), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("budget", [70, 280, 1120])
def test_the_photograph_equals_the_reference(budget: int) -> None:
    ours = prepare_image(PHOTO, budget=budget)
    with Image.open(PHOTO) as photo:
        reference = Gemma4ImageProcessorPil(max_soft_tokens=budget)(photo)
    values = np.asarray(reference["pixel_values"][0])[: len(ours.patches)]
    np.testing.assert_array_equal(ours.patches, values)  # float32, exact
    assert ours.soft_tokens == reference["num_soft_tokens_per_image"][0]
    assert ours.usage.original == "451×300 px"
    assert prepare_image(PHOTO.read_bytes(), budget=budget).digest == ours.digest


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "transparent"]
)
def test_every_mode_equals_the_reference(mode: str) -> None:
    image = gradient()
    if mode in ("LA", "RGBA", "transparent"):
        y, x = np.mgrid[: image.height, : image.width]
        image.putalpha(Image.fromarray((x * y % 256).astype(np.uint8)))
    if mode == "transparent":
        content = encoded(image.convert("P"), "PNG", transparency=3)
    else:
        kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
        content = encoded(image.convert(mode), kind)
    ours = prepare_image(content, budget=70)
    with Image.open(io.BytesIO(content)) as opened:
        reference = Gemma4ImageProcessorPil(max_soft_tokens=70)(opened)
    values = np.asarray(reference["pixel_values"][0])[: len(ours.patches)]
    np.testing.assert_array_equal(ours.patches, values)  # float32, exact


def test_what_is_transparent_shows_white() -> None:
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    image.putpixel((1, 2), (10, 20, 30, 255))
    pixels = decoded(encoded(image, "PNG"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[2, 1].tolist() == [10, 20, 30]


def test_sixteen_bit_grey_is_scaled_and_not_cut_off() -> None:
    samples = np.arange(0, 65536, 13, dtype=np.uint16)[:5040].reshape(70, 72)
    content = encoded(Image.fromarray(samples), "PNG")
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.mode == "I;16"
    expected = np.round(samples / 257.0)
    for pixels in (decoded(content), decoded(encoded(Image.fromarray(samples), "TIFF"))):
        np.testing.assert_array_equal(pixels, np.stack([expected] * 3, axis=-1))  # uint8, exact


def test_samples_without_a_scale_are_refused() -> None:
    floats = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    with pytest.raises(MediaError, match="floating-point samples; save it with 8 or 16 bits"):
        prepare_image(encoded(floats, "TIFF"))
    large = Image.fromarray(np.full((8, 8), 70_000, dtype=np.int32))
    with pytest.raises(MediaError, match="from 70000 to 70000, the limits are 0 and 65535"):
        prepare_image(encoded(large, "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_picture_upright(orientation: int) -> None:
    upright = np.asarray(gradient())
    stored_as = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(stored_as))
    np.testing.assert_array_equal(decoded(encoded(stored, "PNG", exif=exif)), upright)  # exact


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_taken_and_the_usage_says_so(kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    image = prepare_image(content, budget=70)
    assert decoded(content)[5, 5].tolist() == [255, 0, 0]
    assert image.usage.used == "384×384 px, first of 3 frames"
    assert image.usage.reduced


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    content = encoded(gradient(), kind)
    pixels = decoded(content)
    width = 24 if kind == "ICO" else 40  # icons have set sizes
    assert pixels.shape[1] == width
    if kind != "ICO":
        expected = np.asarray(gradient()).astype(int)
        assert abs(pixels.astype(int) - expected).mean() < 8  # of 255: some formats lose a little


def test_the_preview_beside_a_telephone_picture_is_not_a_frame() -> None:
    content = encoded(gradient(), "MPO", save_all=True, append_images=[gradient(20, 12)])
    usage = prepare_image(content, budget=70).usage
    assert (usage.original, usage.reduced) == ("40×24 px", False)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    side = 11_000
    with pytest.raises(
        MediaError, match=rf"{side}×{side} = {side**2} pixels, the limit is 120000000"
    ):
        prepare_image(claimed_png(side, side))
    with pytest.raises(MediaError, match=r"over the limit of 120000000 pixels.*; scale it down"):
        prepare_image(claimed_png(60_000, 60_000))
    assert side**2 > MAX_PIXELS


def test_a_header_without_its_pixels_is_refused() -> None:
    with pytest.raises(MediaError, match="damaged or truncated PNG picture of 1000×1000 px"):
        prepare_image(claimed_png(1000, 1000))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "JPEG2000", "QOI"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_picture_is_refused(kind: str, kept: float) -> None:
    with Image.open(PHOTO) as photo:
        content = encoded(photo, kind)
    with pytest.raises(MediaError, match=r"truncated|no picture that can be read"):
        prepare_image(content[: int(len(content) * kept)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7 ...", "a PDF document; render the page to PNG first"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC picture; save it as JPEG first"),
        (b"just some words", r"no picture that can be read \(it begins with b'just some wo'\)"),
        (b"\x89PNG\r\n\x1a\n", "no picture that can be read"),
        (b"\xff\xd8\xff", "no picture that can be read"),
        (bytes(1000), "no picture that can be read"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        prepare_image(content)


def test_sound_and_video_are_no_pictures() -> None:
    for name in ("clip.mp4", "speech.ogg"):
        with pytest.raises(MediaError, match=f"{name} is no picture that can be read"):
            prepare_image(DATA / name)


def test_the_budget_is_checked_before_the_file() -> None:
    with pytest.raises(MediaError, match="budget of 100 soft tokens"):
        prepare_image("/no/such/file.png", budget=100)
