"""The compiled kernels, if this installation has them and this processor runs them."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from ..errors import InputError
from ..fit.cores import usable_cores

REBUILD = (
    "install a C++ compiler and reinstall gemma4 from its folder "
    "(`pip install --force-reinstall --no-deps --no-cache-dir .`)"
)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there are no native kernels, as a sentence with its remedy."""

    reason: str


@dataclass(frozen=True)
class Native:
    """The compiled module, and the instruction set chosen from those that the processor has."""

    module: ModuleType
    kernels: str
    num_threads: int

    @cached_property  # which is why this value has no slots
    def pool(self) -> Any:
        """The threads of all programs; they wait awake for a while, so two pools would disturb each other.

        They belong to the process that first asks: in one forked from it programs raise `EnvironmentFault`.

        Raises:
            EnvironmentFault: the system does not start so many.
        """
        return self.module.Pool(self.num_threads)

    def program(self) -> Any:
        """An empty program on these threads."""
        return self.module.Program(self.pool, self.kernels)


def find_native(*, kernels: str | None = None, num_threads: int | None = None) -> Native | Missing:
    """Find the kernels; the best that the processor runs, if not told otherwise.

    Args:
        kernels: `avx512-vnni`, `avx2`, `neon`, `portable` and their variants for older processors.
        num_threads: None takes the cores that this process may use.

    Raises:
        InputError: the processor does not run the kernels asked for.
    """
    try:
        module = import_module("._native", __package__)
    except ImportError as error:
        return Missing(f"the native kernels were not built ({error}); {REBUILD}")
    supported = module.supported_kernels()
    if kernels is not None and kernels not in supported:
        raise InputError(
            f"kernels {kernels!r} do not run on this processor; it runs {', '.join(supported)}"
        )
    threads = usable_cores() if num_threads is None else num_threads
    return Native(module, kernels or supported[0], threads)
