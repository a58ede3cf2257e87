"""Where a loaded model's drafts come from: a drafter of its own, look-up, or nowhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..config import DrafterConfig, ModelConfig
from ..engine.speculation.gemma_drafter import GemmaDrafter, check_pair
from ..engine.speculation.lookup import PromptLookup
from ..engine.speculation.speculator import Speculator
from ..errors import CheckpointError
from ..hub.names import local_path, resolve
from ..hub.store import Store
from ..kernels.native import Native
from ..model.drafter import build_drafter
from ..model.gemma4 import Gemma4
from ..weights.checkpoint import Checkpoint
from ..weights.load import load_weights
from ..weights.open_checkpoint import open_checkpoint
from .native_choice import drafter_obstacle
from .placement import Placement, explaining_memory

LOOKUP: Final = "lookup"
"""The word for drafts without a drafter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenDrafter:
    """A drafter on this disk that fits the model. `name`: what answers call it."""

    name: str
    checkpoint: Checkpoint
    config: DrafterConfig


def choose_drafter(
    name_or_path: str | Path | None, target: ModelConfig, store: Store
) -> ChosenDrafter | None:
    """Find a drafter and check that it was made for the model; None for `lookup` and for none.

    Raises:
        ModelNotFoundError: not downloaded, or no such path.
        CheckpointError: no drafter, or another model's.
    """
    if name_or_path is None or name_or_path == LOOKUP:
        return None
    path = resolve(str(name_or_path), store)
    checkpoint = open_checkpoint(path, text_only=True)
    if not isinstance(checkpoint.config, DrafterConfig):
        raise CheckpointError(
            f"{path} is a whole model ({checkpoint.config.family}) and no drafter; a drafter's name "
            "ends in -assistant, and `lookup` drafts without one"
        )
    check_pair(checkpoint.config, target)
    name = str(name_or_path) if local_path(str(name_or_path)) is None else path.name
    return ChosenDrafter(name=name, checkpoint=checkpoint, config=checkpoint.config)


@dataclass(frozen=True, slots=True)
class Drafts:
    """What drafts for a loaded model, and what the user may want to know of it."""

    speculator: Speculator | None
    notes: tuple[str, ...] = ()


def open_drafts(
    name_or_path: str | Path | None,
    chosen: ChosenDrafter | None,
    target: Gemma4,
    placement: Placement,
) -> Drafts:
    """Make what drafts for the model: None if nothing should.

    Args:
        name_or_path: as asked.
        chosen: what `choose_drafter` made of it; it computes beside the model and as it does.

    Raises:
        EnvironmentFault: the drafter does not fit in memory beside the model.
    """
    if name_or_path is None:
        return Drafts(None)
    if chosen is None:
        return Drafts(Speculator(PromptLookup()))
    native = placement.kernels if isinstance(placement.kernels, Native) else None
    notes = chosen.checkpoint.notes
    obstacle = drafter_obstacle(chosen.config)
    if native is not None and obstacle is not None:
        native, notes = None, (*notes, f"computing with torch, which is slower: {obstacle}")
    drafter = build_drafter(chosen.config)
    with explaining_memory(chosen.checkpoint, placement):
        report = load_weights(
            drafter,
            chosen.checkpoint,
            device=placement.device,
            dtype=placement.dtype,
            keep_blocks=native is not None,
        )
    source = GemmaDrafter(drafter, target, name=chosen.name, native=native)
    told = tuple(f"drafter: {note}" for note in (*notes, *report.notes))
    return Drafts(Speculator(source), told)
