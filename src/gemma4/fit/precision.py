"""How many bytes numbers take in each encoding, and which encoding a quantization gives each tensor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Final

from ..errors import ConfigError
from .counts import Role

BLOCKS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "F64": (1, 8),
        "I64": (1, 8),
        "F32": (1, 4),
        "F16": (1, 2),
        "BF16": (1, 2),
        "Q8_0": (32, 34),
        "Q5_1": (32, 24),
        "Q5_0": (32, 22),
        "Q4_1": (32, 20),
        "Q4_0": (32, 18),
        "IQ4_NL": (32, 18),
        "Q6_K": (256, 210),
        "Q5_K": (256, 176),
        "Q4_K": (256, 144),
        "Q4_K_M": (256, 154),
        "Q3_K": (256, 110),
        "Q2_K": (256, 84),
        "W4A16": (32, 18),
    }
)
"""Encoding → numbers of a block, bytes of a block. W4A16: 4 bits and a 16-bit scale for 32 numbers. Q4_K_M:
on average over a model's matrices, of which some values and down projections are Q6_K, the rest Q4_K."""

DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
)
"""Name of a torch dtype → its encoding."""


def encoded_bytes(encoding: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor; blocks run along the last dimension, the last one of a row padded.

    Raises:
        ConfigError: the encoding is unknown.
    """
    if encoding not in BLOCKS:
        raise ConfigError(f"encoding {encoding!r} is unknown; known: {', '.join(BLOCKS)}")
    numbers, size = BLOCKS[encoding]
    columns = shape[-1] if shape else 1
    return prod(shape[:-1]) * -(-columns // numbers) * size


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantization:
    """A way to store a model and to run it.

    Attributes:
        encodings: of each role in the file.
        run_dtype: dtype of computation; None: chosen by free memory, see `expanded_dtype`.
    """

    name: str
    encodings: Mapping[Role, str]
    run_dtype: str | None


def _plain(name: str, dtype: str) -> Quantization:
    encodings = dict.fromkeys(Role, DTYPES[dtype]) | {Role.INDEX: "I64"}
    return Quantization(name=name, encodings=MappingProxyType(encodings), run_dtype=dtype)


def _blocks(name: str, linear: str, *, embedding: str, table: str, vector: str) -> Quantization:
    """Matrices in blocks; towers stay in bfloat16, in which the projector files are published."""
    encodings = {
        Role.EMBEDDING: embedding,
        Role.PER_LAYER_TABLE: table,
        Role.LINEAR: linear,
        Role.EXPERTS: linear,
        Role.ROUTER: vector,
        Role.VECTOR: vector,
        Role.VISION: "BF16",
        Role.AUDIO: "BF16",
        Role.INDEX: "I64",
    }
    return Quantization(name=name, encodings=MappingProxyType(encodings), run_dtype=None)


QUANTIZATIONS: Final[Mapping[str, Quantization]] = MappingProxyType(
    {
        "fp32": _plain("fp32", "float32"),
        "bf16": _plain("bf16", "bfloat16"),
        # float16 overflows in these models on the CPU, so it is stored but not computed in.
        "fp16": replace(_plain("fp16", "float16"), run_dtype=None),
        "q8_0": _blocks("q8_0", "Q8_0", embedding="Q8_0", table="Q8_0", vector="F32"),
        "q4_k_m": _blocks("q4_k_m", "Q4_K_M", embedding="Q6_K", table="Q6_K", vector="F32"),
        # llama.cpp gives a tied head six bits, and keeps vectors and routers in full.
        "q4_0": _blocks("q4_0", "Q4_0", embedding="Q6_K", table="Q4_0", vector="F32"),
        # compressed-tensors packs the linear layers only.
        "w4a16": _blocks("w4a16", "W4A16", embedding="BF16", table="BF16", vector="BF16"),
    }
)
"""By name, from large to small."""


def find_quantization(name: str) -> Quantization:
    """Look up a quantization; `qat-q4_0` is another name of `q4_0`.

    Raises:
        ConfigError: the name is unknown.
    """
    plain = name.strip().lower().removeprefix("qat-")
    if plain not in QUANTIZATIONS:
        raise ConfigError(f"quantization {name!r} is unknown; known: {', '.join(QUANTIZATIONS)}")
    return QUANTIZATIONS[plain]
