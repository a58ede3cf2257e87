"""Whether a job fits a machine: weights, keys and values, activations, media and the runtime, added up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..config import ModelConfig
from ..errors import ContextError
from .activations import media_activation_bytes, prefill_bytes
from .kv import kv_cache_bytes, kv_page_bytes
from .machine import Machine
from .native import native_kv_dtype, native_working_bytes
from .weights import WeightsEstimate, dtype_bytes

LIBRARY_BYTES: Final = 256 * 2**20
"""Resident set of a process that has imported torch 2.13.0 (CPU build), PyAV, Pillow, tokenizers and
the rest, and multiplied once. Measured on Linux x86-64, CPython 3.11."""

LIBRARY_FILE_BYTES: Final = 96 * 2**20
"""Of these, pages of the libraries' own files, which processes share."""

ALLOCATOR_BYTES: Final = 36 * 2**20
"""What a pass leaves with the allocator and the matrix library, or takes beyond the values counted: 25
to 48 MiB measured. `tests/fit/test_fit_measured.py` holds both to account."""

NATIVE_ALLOCATOR_BYTES: Final = 8 * 2**20
"""The same beside native kernels, whose buffers are counted one by one."""

TOKENIZER_BYTES: Final = 128 * 2**20
"""What a tokenizer of 262,144 tokens keeps: 93 MiB from tokenizer.json, 109 to 155 from a GGUF file."""

PARSING_BYTES: Final = 208 * 2**20
"""What building it takes on top, before a weight is read: 190 to 210 MiB from a GGUF file, 290 from
tokenizer.json. It is given back to the system."""

TOKENIZER_TOKENS: Final = 262_144

CUDA_BYTES: Final = 768 * 2**20
"""An allowance, not a measurement, for the CUDA context and the libraries' workspaces on a GPU."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to run.

    Attributes:
        context: tokens of each conversation, prompt and answer; users: how many at once.
        run_dtype: dtype of computation; kv_dtype: of keys and values, None: the same, and 16 bits beside
            native kernels.
        native: the native kernels compute: they read weights where they lie.
        media: images and sounds will be given, so the towers must be resident.
        tokenizer: text goes in and out, so the tokenizer is in memory.
    """

    context: int = 4096
    users: int = 1
    run_dtype: str = "bfloat16"
    kv_dtype: str | None = None
    media: bool = True
    tokenizer: bool = True
    native: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuFit:
    """Whether the job fits a GPU alone, weights included, and the longest context that does.

    Attributes:
        weights_bytes: of the decoder, and of the towers if media will be given.
        torch_because: why torch computes there, over expanded weights; None: a GPU's kernels do.
    """

    name: str
    free_bytes: int
    weights_bytes: int
    peak_bytes: int
    fits: bool
    longest_context: int
    torch_because: str | None = None


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
        mapped_bytes: of the peak, pages of files: weights that are read where they lie, and libraries. They
            should stay in the system's cache, or the disk is read for every token. Processes share them.
        private_bytes: the most of all other memory, which no other process can use: in the end the rest of
            the peak, or more while the tokenizer is built, before weights are read.
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
    mapped_bytes: int
    private_bytes: int
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
        config.text, context=job.context, users=job.users, dtype=_kv_dtype(config, job)
    )
    fixed = _fixed_bytes(weights, job)
    runtime = _runtime_bytes(config, job)
    working = _working_bytes(config, job, job.context)
    mapped = _mapped_bytes(weights, job)
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
        mapped_bytes=mapped,
        private_bytes=max(peak - mapped, _starting_bytes(config, job)),
        available_bytes=machine.available_bytes,
        fits=peak <= machine.available_bytes,
        longest_context=_longest(config, job, machine.available_bytes - fixed - runtime),
        gpus=tuple(
            GpuFit(
                name=gpu.name,
                free_bytes=gpu.free_bytes,
                weights_bytes=fixed,
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


def _kv_dtype(config: ModelConfig, job: Job) -> str:
    return job.kv_dtype or (native_kv_dtype(config.text) if job.native else job.run_dtype)


def _fixed_bytes(weights: WeightsEstimate, job: Job) -> int:
    return weights.text_bytes + (weights.media_bytes if job.media else 0)


def _mapped_bytes(weights: WeightsEstimate, job: Job) -> int:
    """Pages of files: libraries, and weights that are no new tensors."""
    media = weights.media_bytes - weights.media_copied_bytes if job.media else 0
    return LIBRARY_FILE_BYTES + weights.text_bytes - weights.text_copied_bytes + media


def _runtime_bytes(config: ModelConfig, job: Job) -> int:
    allocator = NATIVE_ALLOCATOR_BYTES if job.native else ALLOCATOR_BYTES
    return LIBRARY_BYTES + allocator + _vocabulary_bytes(config, job, TOKENIZER_BYTES)


def _starting_bytes(config: ModelConfig, job: Job) -> int:
    """Private memory while the tokenizer is built, which is before a weight is read."""
    building = _vocabulary_bytes(config, job, TOKENIZER_BYTES + PARSING_BYTES)
    return LIBRARY_BYTES - LIBRARY_FILE_BYTES + building


def _vocabulary_bytes(config: ModelConfig, job: Job, of_all: int) -> int:
    """Of a tokenizer with the model's words, where one of all of Gemma's takes so much."""
    return of_all * config.text.vocab_size // TOKENIZER_TOKENS if job.tokenizer else 0


def _working_bytes(config: ModelConfig, job: Job, context: int) -> int:
    """Keys and values with the pages' slack, and the larger of a prefill's and a tower's peak."""
    number_bytes = dtype_bytes(job.run_dtype)
    pages = kv_page_bytes(
        config.text, context=context, users=job.users, dtype=_kv_dtype(config, job)
    )
    towers = media_activation_bytes(config, number_bytes=number_bytes) if job.media else 0
    if job.native:  # the programs' buffers stay while a tower runs
        return pages + native_working_bytes(config.text, context=context, users=job.users) + towers
    prefill = prefill_bytes(config.text, context=context, number_bytes=number_bytes)
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
