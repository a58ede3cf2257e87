"""Whether a job fits a machine: weights, keys and values, activations, media and the runtime, added up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..config import ModelConfig
from ..errors import ContextError
from .activations import media_activation_bytes, prefill_bytes
from .kv import kv_cache_bytes, kv_page_bytes
from .machine import Machine
from .weights import WeightsEstimate, dtype_bytes

LIBRARY_BYTES: Final = 256 * 2**20
"""Resident set of a process that has imported torch 2.13.0 (CPU build), PyAV, Pillow, tokenizers and
the rest, and multiplied once. Measured on Linux x86-64, CPython 3.11."""

ALLOCATOR_BYTES: Final = 36 * 2**20
"""What a pass leaves with the allocator and the matrix library, or takes beyond the values counted: 25
to 48 MiB measured. `tests/fit/test_fit_measured.py` holds both to account."""

TOKENIZER_BYTES: Final = 128 * 2**20
"""What a tokenizer of 262,144 tokens keeps: 103 MiB from tokenizer.json, 129 to 155 from a GGUF file."""

PARSING_BYTES: Final = 162 * 2**20
"""What building it leaves in the heap of the process: with the above 290 MiB from tokenizer.json. New
tensors take their place there; weights that stay in their file do not."""

TOKENIZER_TOKENS: Final = 262_144

CUDA_BYTES: Final = 768 * 2**20
"""An allowance, not a measurement, for the CUDA context and the libraries' workspaces on a GPU."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to run.

    Attributes:
        context: tokens of each conversation, prompt and answer; users: how many at once.
        run_dtype: dtype of computation; kv_dtype: of keys and values, None: the same.
        media: images and sounds will be given, so the towers must be resident.
        tokenizer: text goes in and out, so the tokenizer is in memory.
    """

    context: int = 4096
    users: int = 1
    run_dtype: str = "bfloat16"
    kv_dtype: str | None = None
    media: bool = True
    tokenizer: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuFit:
    """Whether the job fits a GPU alone, weights included, and the longest context that does."""

    name: str
    free_bytes: int
    peak_bytes: int
    fits: bool
    longest_context: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FitReport:
    """Bytes that a job takes at its peak on the processor, and whether the machine has them.

    Attributes:
        file_bytes: of the weights as stored: the download.
        weights_bytes: of the decoder, resident. media_bytes: of the towers, resident.
        kv_cache_bytes: of keys and values that are kept.
        activation_bytes: of intermediate values, of windows that are remembered, of pages partly filled.
        runtime_bytes: of Python, torch and the tokenizer.
        disk_bytes: of tables that stay on disk, outside the peak.
        peak_bytes: the sum of weights, media, keys and values, activations and runtime.
        longest_context: for the same users, 0 if not even one token fits.
    """

    context: int
    users: int
    file_bytes: int
    weights_bytes: int
    media_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    runtime_bytes: int
    disk_bytes: int
    peak_bytes: int
    available_bytes: int
    fits: bool
    longest_context: int
    gpus: tuple[GpuFit, ...] = ()


def estimate_fit(
    config: ModelConfig, weights: WeightsEstimate, job: Job, machine: Machine
) -> FitReport:
    """Add up a job and compare it with a machine.

    Raises:
        ContextError: the context is longer than the model's, or it or the users are below 1.
        ConfigError: a dtype is unknown.
    """
    _check(config, job)
    kv_cache = kv_cache_bytes(
        config.text, context=job.context, users=job.users, dtype=_kv_dtype(job)
    )
    fixed = _fixed_bytes(weights, job)
    runtime = _runtime_bytes(config, weights, job)
    working = _working_bytes(config, job, job.context)
    peak = fixed + runtime + working
    return FitReport(
        context=job.context,
        users=job.users,
        file_bytes=weights.file_bytes,
        weights_bytes=weights.text_bytes,
        media_bytes=weights.media_bytes if job.media else 0,
        kv_cache_bytes=kv_cache,
        activation_bytes=working - kv_cache,
        runtime_bytes=runtime,
        disk_bytes=weights.disk_bytes,
        peak_bytes=peak,
        available_bytes=machine.available_bytes,
        fits=peak <= machine.available_bytes,
        longest_context=_longest(config, job, machine.available_bytes - fixed - runtime),
        gpus=tuple(
            GpuFit(
                name=gpu.name,
                free_bytes=gpu.free_bytes,
                peak_bytes=fixed + working + CUDA_BYTES,
                fits=fixed + working + CUDA_BYTES <= gpu.free_bytes,
                longest_context=_longest(config, job, gpu.free_bytes - fixed - CUDA_BYTES),
            )
            for gpu in machine.gpus
        ),
    )


def _check(config: ModelConfig, job: Job) -> None:
    dtype_bytes(job.run_dtype)  # refuses an unknown one
    limit = config.text.max_positions
    if not 1 <= job.context <= limit:
        raise ContextError(
            f"a context of {job.context} tokens is not possible; this model holds 1 to {limit}",
            needed=job.context,
            limit=limit,
        )
    if job.users < 1:
        raise ContextError(
            f"{job.users} users is not possible; give 1 or more", needed=job.users, limit=1
        )


def _kv_dtype(job: Job) -> str:
    return job.kv_dtype or job.run_dtype


def _fixed_bytes(weights: WeightsEstimate, job: Job) -> int:
    return weights.text_bytes + (weights.media_bytes if job.media else 0)


def _runtime_bytes(config: ModelConfig, weights: WeightsEstimate, job: Job) -> int:
    if not job.tokenizer:
        return LIBRARY_BYTES + ALLOCATOR_BYTES
    parsing = max(0, PARSING_BYTES - weights.copied_bytes)
    vocabulary = (TOKENIZER_BYTES + parsing) * config.text.vocab_size // TOKENIZER_TOKENS
    return LIBRARY_BYTES + ALLOCATOR_BYTES + vocabulary


def _working_bytes(config: ModelConfig, job: Job, context: int) -> int:
    """Keys and values with the pages' slack, and the larger of a prefill's and a tower's peak."""
    number_bytes = dtype_bytes(job.run_dtype)
    pages = kv_page_bytes(config.text, context=context, users=job.users, dtype=_kv_dtype(job))
    prefill = prefill_bytes(config.text, context=context, number_bytes=number_bytes)
    towers = media_activation_bytes(config, number_bytes=number_bytes) if job.media else 0
    return pages + max(prefill, towers)


def _longest(config: ModelConfig, job: Job, room: int) -> int:
    """The longest context whose keys, values and activations fit in `room`."""
    return _largest(config.text.max_positions, lambda n: _working_bytes(config, job, n) <= room)


def _largest(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `limit` that fits; 0 if none does. What fits less fits always."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
