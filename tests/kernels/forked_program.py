"""Run by test_native_processes in a process of its own: a program is run, then again in a forked child.

Prints what the child met, a line; the child ends as a Python process ends, the pool with it.
"""

import os
import signal
import sys
from array import array

from gemma4.errors import EnvironmentFault
from gemma4.kernels.native import Native, find_native

native = find_native(num_threads=3)
assert isinstance(native, Native)
numbers = array("f", [1.0]) * 32
program = native.program()
program.softcap(32, 30.0)
one_pass = native.module.Pass(1, [], out=numbers.buffer_info()[0])
program.run(one_pass)
child = os.fork()
if child == 0:
    signal.alarm(30)  # who waits for threads that are not there waits for ever
    for call in (lambda: program.run(one_pass), program.take_seconds):
        try:
            call()
        except EnvironmentFault as error:
            print(error, flush=True)
    fresh = find_native(num_threads=2)
    assert isinstance(fresh, Native)
    again = fresh.program()
    again.softcap(32, 30.0)
    again.run(one_pass)
    del program, native
    sys.exit(5)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 5, status
program.run(one_pass)
assert program.take_seconds().keys() == {"softcap"}
