"""Run by test_native_processes in a process of its own: more threads than there is room for their stacks."""

import resource

import psutil

from gemma4.errors import EnvironmentFault
from gemma4.kernels.native import Native, find_native

native = find_native(num_threads=400)
assert isinstance(native, Native)
room = psutil.Process().memory_info().vms + (256 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    native.program()
except EnvironmentFault as error:
    print(error)
