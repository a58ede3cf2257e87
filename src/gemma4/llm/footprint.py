"""What a checkpoint on this disk would take in memory if it were loaded: from its headers alone."""

from dataclasses import replace

from ..config import ModelConfig
from ..fit.estimate import FitReport, GpuFit, Job, estimate_fit
from ..fit.machine import Machine
from ..fit.weights import estimate_stored_weights
from ..kernels.cuda import CudaKernels
from ..kernels.native import Native
from ..weights.checkpoint import Checkpoint
from ..weights.stored_weights import stored_weights
from .native_choice import AUTO
from .placement import Placement, choose_placement


def place_of(
    checkpoint: Checkpoint, *, device: str = AUTO, dtype: str = AUTO, kernels: str = AUTO
) -> Placement:
    """Where and in what dtype it would compute.

    Raises:
        InputError, EnvironmentFault: it cannot, as asked.
    """
    return choose_placement(checkpoint, device, dtype, kernels)


def footprint(
    checkpoint: Checkpoint,
    config: ModelConfig,
    place: Placement,
    *,
    context: int,
    users: int,
    machine: Machine,
    kv_dtype: str = AUTO,
) -> FitReport:
    """Bytes for so many users with so many tokens each, and whether the machine has them."""
    dtype = str(place.dtype).removeprefix("torch.")
    native, tiled = isinstance(place.kernels, Native), isinstance(place.kernels, CudaKernels)
    kept = None if kv_dtype == AUTO else kv_dtype
    job = Job(context=context, users=users, run_dtype=dtype, native=native, kv_dtype=kept)
    weights = estimate_stored_weights(stored_weights(checkpoint), dtype, native=native, tiled=tiled)
    return estimate_fit(config, weights, job, machine)


def limits_of(report: FitReport, place: Placement) -> tuple[int, int]:
    """Bytes needed and free where the model would lie: on its GPU, or in memory."""
    gpu = _gpu_of(report, place)
    if gpu is not None:
        return gpu.peak_bytes, gpu.free_bytes
    return report.peak_bytes, report.available_bytes


def longest_of(report: FitReport, place: Placement) -> int:
    """The longest context that fits where the model would lie; 0 if none does."""
    gpu = _gpu_of(report, place)
    return report.longest_context if gpu is None else gpu.longest_context


def with_share(machine: Machine, fixed: int, share: float) -> Machine:
    """A machine, and GPUs, of which only a share is free beside so many bytes."""

    def left(free: int) -> int:
        return fixed + int(max(0, free - fixed) * share)

    gpus = tuple(replace(gpu, free_bytes=left(gpu.free_bytes)) for gpu in machine.gpus)
    return replace(machine, available_bytes=left(machine.available_bytes), gpus=gpus)


def _gpu_of(report: FitReport, place: Placement) -> GpuFit | None:
    if place.device.type != "cuda":
        return None
    number = place.device.index or 0
    return report.gpus[number] if number < len(report.gpus) else None
