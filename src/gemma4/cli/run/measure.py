"""What each downloaded model would need here, from the headers of its files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config import DrafterConfig, ModelConfig
from ...errors import Gemma4Error
from ...fit.counts import count_parameters, counted_tensors
from ...fit.machine import Machine, read_machine
from ...hub.manifest import Manifest
from ...hub.names import weights_path
from ...hub.store import Store
from .candidate import Candidate
from .request import Placing

if TYPE_CHECKING:
    from ...weights.checkpoint import Checkpoint

DEFAULT_CONTEXT = 4096
"""Tokens to plan for where --ctx says nothing: a conversation, not the most that a model holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Models that can be run, and a sentence for each that cannot."""

    candidates: tuple[Candidate, ...]
    problems: tuple[str, ...]


def measure_models(models: Iterable[Manifest], store: Store, placing: Placing) -> Measured:
    """Look at each model's headers and at this machine. Drafters are left out."""
    from ...weights.open_checkpoint import open_checkpoint

    machine = read_machine()
    candidates, problems = [], []
    for manifest in models:
        if damage := store.check(manifest):
            problems.append(f"{manifest.name} ({'; '.join(damage)})")
            continue
        try:
            checkpoint = open_checkpoint(weights_path(manifest, store))
        except Gemma4Error as error:
            problems.append(f"{manifest.name} ({error})")
            continue
        config = checkpoint.config
        if not isinstance(config, DrafterConfig):
            candidates.append(_measure(manifest, checkpoint, config, machine, placing))
    return Measured(candidates=tuple(candidates), problems=tuple(problems))


def _measure(
    manifest: Manifest,
    checkpoint: "Checkpoint",
    config: ModelConfig,
    machine: Machine,
    placing: Placing,
) -> Candidate:
    from ...llm.footprint import footprint, limits_of, place_of

    place = place_of(
        checkpoint, device=placing.device, dtype=placing.dtype, kernels=placing.kernels
    )
    context = min(placing.context or DEFAULT_CONTEXT, config.text.max_positions)
    report = footprint(checkpoint, config, place, context=context, users=1, machine=machine)
    needed, available = limits_of(report, place)
    return Candidate(
        manifest=manifest,
        parameters=count_parameters(counted_tensors(config)),
        chats=checkpoint.chat_template is not None,
        needed=needed,
        available=available,
        fits=needed <= available,
    )
