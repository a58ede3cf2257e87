"""How fast a loaded model is, measured through its engine: requests, scheduling and sampling included.

plan       what to measure: prompts, depths, streams, rounds
benchmark  measures it, one `Measurement` after the other
driver     one engine, pass by pass, with a clock
matrices   what a pass reads of the weights
bandwidth  how fast this machine reads memory, and those very weights
"""

from .bandwidth import Bandwidth, measure_bandwidth
from .benchmark import Benchmark
from .driver import Clock, Driver
from .machine import describe_machine, find_commit
from .matrices import DecoderMatrix, bytes_of_pass, find_matrices
from .measurement import Kind, Measurement
from .memory import PeakMemory, private_bytes
from .plan import Plan

__all__ = [
    "Bandwidth",
    "Benchmark",
    "Clock",
    "DecoderMatrix",
    "Driver",
    "Kind",
    "Measurement",
    "PeakMemory",
    "Plan",
    "bytes_of_pass",
    "describe_machine",
    "find_commit",
    "find_matrices",
    "measure_bandwidth",
    "private_bytes",
]
