"""How a server loads a model: whether the memory holds it, with what context, and the loading itself."""

import gc
from dataclasses import dataclass
from typing import Final, Protocol

from ..config import DrafterConfig, ModelConfig
from ..errors import CheckpointError
from ..fit.estimate import FitReport
from ..fit.machine import Machine, read_machine
from ..hub.names import resolve
from ..hub.store import Store
from ..llm.footprint import footprint, limits_of, longest_of, place_of, with_share
from ..llm.heap import give_back_heap
from ..llm.key_value_memory import SHARE_OF_FREE
from ..llm.llm import LLM
from ..llm.load import load
from ..llm.placement import Placement
from ..weights.checkpoint import Checkpoint
from ..weights.open_checkpoint import open_checkpoint
from .settings import Loading
from .shelf import Known

LEAST_CONTEXT: Final = 32_768
"""Tokens that agents need for their instructions, tools and some work."""

_GIB = 2**30


class Loader(Protocol):
    """Loads what is on the shelf. Both may take long and run on a thread."""

    def lacking(self, known: Known) -> str | None:
        """Why the memory does not hold it now, in a sentence; None: it does."""
        ...

    def load(self, known: Known) -> LLM:
        """Load it.

        Raises:
            Gemma4Error: it cannot be loaded.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What a model takes here.

    Attributes:
        context: tokens of one request that it would be loaded with. longest: of the model.
        needed, available: bytes where it would lie, for one request of this context; GPUs counted.
        private: of them, bytes that are not pages of its file.
    """

    context: int
    longest: int
    needed: int
    available: int
    private: int

    @property
    def fits(self) -> bool:
        """Whether the memory holds it."""
        return self.needed <= self.available


class DiskLoader:
    """Loads from the store and from paths.

    Args:
        loading: how; its context None means the default of `measure`.
    """

    def __init__(self, store: Store, loading: Loading) -> None:
        self._store = store
        self._loading = loading

    def lacking(self, known: Known) -> str | None:
        """Why it cannot be loaded now. Weights that are read where they lie may exceed the memory."""
        found = self.measure(known)
        if found.private <= found.available:
            return None
        return (
            f"{known.id} needs {found.private / _GIB:.1f} GiB of memory beside its file and "
            f"{found.available / _GIB:.1f} GiB are free; unload another model, give a smaller --ctx, or "
            "take a smaller model (`gemma4 fit`)"
        )

    def measure(self, known: Known) -> Measure:
        """Look at its headers and at this machine.

        Raises:
            CheckpointError, ConfigError: it cannot be loaded at all.
        """
        checkpoint = open_checkpoint(resolve(known.source, self._store))
        config = checkpoint.config
        if isinstance(config, DrafterConfig):
            raise CheckpointError(f"{known.id} is a drafter, which only speeds up another model")
        how = self._loading
        place = place_of(checkpoint, device=how.device, dtype=how.dtype, kernels=how.kernels)
        machine = read_machine()
        context = how.context or self._context(checkpoint, config, place, machine)
        report = self._report(checkpoint, config, place, machine, context=context)
        needed, available = limits_of(report, place)
        on_gpu = place.device.type == "cuda"
        return Measure(
            context=context,
            longest=config.text.max_positions,
            needed=needed,
            available=available,
            private=needed if on_gpu else report.private_bytes,
        )

    def load(self, known: Known) -> LLM:
        """Load it with room for a context that agents can work with."""
        how = self._loading
        llm = load(
            known.source,
            device=how.device,
            dtype=how.dtype,
            kernels=how.kernels,
            threads=how.threads,
            # Bytes given by hand say the context as well, where none was given.
            context=how.context if how.kv_memory else self.measure(known).context,
            kv_dtype=how.kv_dtype,
            kv_memory=how.kv_memory,
            max_requests=how.parallel,
            drafter=how.drafter,
            store=self._store.root,
        )
        llm.grammars.prepare()  # a second, which the first request with tools would wait for
        return llm

    def _context(
        self, checkpoint: Checkpoint, config: ModelConfig, place: Placement, machine: Machine
    ) -> int:
        """As long as all requests that may run at once have it in half of the free memory; 32,768 at least
        where one request has them in all of it, for requests wait for each other's pages."""
        one = self._report(checkpoint, config, place, machine)
        fixed = one.peak_bytes - one.kv_cache_bytes - one.activation_bytes
        half = with_share(machine, fixed, SHARE_OF_FREE)
        together = self._report(checkpoint, config, place, half, users=self._loading.parallel)
        alone = longest_of(one, place)
        wanted = max(longest_of(together, place), min(LEAST_CONTEXT, alone), 1)
        return min(config.text.max_positions, wanted)

    def _report(
        self,
        checkpoint: Checkpoint,
        config: ModelConfig,
        place: Placement,
        machine: Machine,
        *,
        context: int = 1,
        users: int = 1,
    ) -> FitReport:
        return footprint(
            checkpoint,
            config,
            place,
            context=min(context, config.text.max_positions),
            users=users,
            machine=machine,
            kv_dtype=self._loading.kv_dtype,
        )


def collect() -> None:
    """Give back what an unloaded model had, after the last reference to it went."""
    gc.collect()
    give_back_heap()
