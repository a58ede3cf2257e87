"""Exact memory arithmetic before any download: what a job takes, and whether this machine has it."""

from .estimate import FitReport, GpuFit, Job, estimate_fit
from .expansion import expanded_dtype
from .kv import kv_cache_bytes
from .machine import Gpu, Machine, read_machine, read_memory
from .precision import QUANTIZATIONS, Quantization, find_quantization
from .weights import StoredWeights, WeightsEstimate, estimate_stored_weights, estimate_weights

__all__ = [
    "FitReport",
    "Gpu",
    "GpuFit",
    "Job",
    "Machine",
    "QUANTIZATIONS",
    "Quantization",
    "StoredWeights",
    "WeightsEstimate",
    "estimate_fit",
    "estimate_stored_weights",
    "estimate_weights",
    "expanded_dtype",
    "find_quantization",
    "kv_cache_bytes",
    "read_machine",
    "read_memory",
]
