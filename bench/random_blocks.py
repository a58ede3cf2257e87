"""Random tensors in GGUF's encodings, written block by block without quantizing any number.

A block is random bytes with a scale put in their place, so that the numbers it stands for have the
deviation asked for: writing costs what the disk costs. Scales have either sign, for the codes of a
block are not centred on zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import gguf
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

CHUNK = 1 << 24  # bytes made at a time

Q4_0_DEVIATION = ((16**2 - 1) / 12 + 0.25) ** 0.5  # of codes 0 … 15, less 8
Q6_K_DEVIATION = ((64**2 - 1) / 12 + 0.25) ** 0.5  # of codes 0 … 63, less 32
Q6_K_SCALES = (64, 128)
"""Sizes of the sixteen whole-numbered scales of a Q6_K block: as real files have them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomTensor:
    """A tensor to be.

    Attributes:
        shape: outermost dimension first; rows are whole blocks.
        encoding: Q4_0, Q6_K or F32.
        mean, deviation: of its numbers; a quantized one has mean zero.
        values: given numbers, in place of random ones.
    """

    name: str
    shape: tuple[int, ...]
    encoding: gguf.GGMLQuantizationType
    mean: float = 0.0
    deviation: float = 0.0
    values: npt.NDArray[np.float32] | npt.NDArray[np.int64] | None = None

    @property
    def num_bytes(self) -> int:
        """Bytes in the file."""
        block, size = gguf.GGML_QUANT_SIZES[self.encoding]
        if self.shape[-1] % block:
            raise SystemExit(
                f"{self.name} has rows of {self.shape[-1]}, not whole blocks of {block}"
            )
        return prod(self.shape) // block * size

    def chunks(self, draw: np.random.Generator) -> Iterator[Bytes]:
        """Its bytes, a few at a time."""
        if self.values is not None:
            yield self.values.reshape(-1).view(np.uint8)
            return
        _, size = gguf.GGML_QUANT_SIZES[self.encoding]
        left = self.num_bytes // size
        while left:
            count = min(left, CHUNK // size)
            yield self._blocks(draw, count).reshape(-1)
            left -= count

    def _blocks(self, draw: np.random.Generator, count: int) -> Bytes:
        match self.encoding:
            case gguf.GGMLQuantizationType.F32:
                normal = draw.standard_normal(count, dtype=np.float32)
                return (normal * np.float32(self.deviation) + np.float32(self.mean)).view(np.uint8)
            case gguf.GGMLQuantizationType.Q4_0:
                blocks = _random_bytes(draw, count, 18)
                blocks[:, :2] = _scales(draw, count, self.deviation / Q4_0_DEVIATION)
                return blocks
            case gguf.GGMLQuantizationType.Q6_K:
                return _q6_k(draw, count, self.deviation)
        raise SystemExit(f"{self.name}: no random blocks of {self.encoding.name} are made")


def _q6_k(draw: np.random.Generator, count: int, deviation: float) -> Bytes:
    """Blocks of 256: codes uint8 [192], scales int8 [16], their common scale float16."""
    blocks = _random_bytes(draw, count, 210)
    low, high = Q6_K_SCALES
    sizes = (blocks[:, 192:208] % (high - low) + low).astype(np.int8)
    signs = np.where(blocks[:, 176:192] & 1, np.int8(1), np.int8(-1))
    blocks[:, 192:208] = (sizes * signs).view(np.uint8)
    usual = float(np.mean(np.arange(low, high, dtype=np.float64) ** 2)) ** 0.5
    blocks[:, 208:] = _scales(draw, count, deviation / usual / Q6_K_DEVIATION)
    return blocks


def _random_bytes(draw: np.random.Generator, count: int, size: int) -> Bytes:
    words = draw.integers(0, 2**64, -(-count * size // 8), dtype=np.uint64)
    taken: Bytes = words.view(np.uint8)[: count * size]
    return taken.reshape(count, size)


def _scales(draw: np.random.Generator, count: int, size: float) -> Bytes:
    """Scales float16 around ±size, as bytes [count, 2]; their mean square is size²."""
    spread = draw.uniform(0.75, 1.25, count) / (1 + 0.25**2 / 3) ** 0.5
    signed = np.where(draw.integers(0, 2, count, dtype=np.uint8), spread, -spread)
    stored: Bytes = (signed * size).astype("<f2").view(np.uint8)
    return stored.reshape(count, 2)
