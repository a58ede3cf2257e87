"""Which model `gemma4 run` takes: the one named, else the largest downloaded one that fits."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...catalog import is_known_name
from ...errors import EnvironmentFault, ModelNotFoundError
from ...hub.names import local_path, parse_reference, resolve
from ...hub.store import Store
from ...llm.collection import collection_paused
from ..output import format_bytes
from .candidate import Candidate
from .measure import measure_models
from .request import Placing
from .words import RunWords

if TYPE_CHECKING:
    from ...llm.llm import LLM

OFFLINE_DEFAULT = "gemma3:270m"
"""What is taken where nothing else is there or fits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenModel:
    """A model on this disk. `reason`: which and why, where it was ours to choose."""

    name: str
    path: Path
    reason: str | None = None


def choose_model(words: RunWords, store: Store, placing: Placing) -> ChosenModel:
    """Find the model that was named, or choose one.

    Raises:
        ModelNotFoundError: the one named is not there, or there is none at all.
        EnvironmentFault: there are some, but none fits.
    """
    if words.model is None:
        return choose_default(store, placing)
    try:
        path = resolve(words.model, store)
    except ModelNotFoundError as error:
        if not words.guessed:
            raise
        raise ModelNotFoundError(
            f"{error}; if {words.model!r} belongs to the prompt, name the model with --model"
        ) from error
    return ChosenModel(name=_name_of(words.model), path=path)


def choose_default(store: Store, placing: Placing) -> ChosenModel:
    """The downloaded model with most parameters that fits, else the offline default."""
    models = store.contents().models
    if not models:
        raise ModelNotFoundError(
            f"no model is downloaded; run `gemma4 pull {OFFLINE_DEFAULT}` for a small one, or "
            "`gemma4 fit` to see which larger ones fit this machine"
        )
    measured = measure_models(models, store, placing)
    ranked = sorted(measured.candidates, key=lambda candidate: candidate.rank, reverse=True)
    fitting = [candidate for candidate in ranked if candidate.fits]
    notes = "".join(f"; passed over {problem}" for problem in measured.problems)
    if fitting:
        too_large = [candidate for candidate in ranked if candidate.rank > fitting[0].rank]
        return _chosen(fitting[0], store, _why(fitting[0], len(ranked), too_large) + notes)
    default = [c for c in ranked if c.manifest.name == OFFLINE_DEFAULT]
    if default:
        return _chosen(default[0], store, f"the offline default; nothing downloaded fits{notes}")
    raise EnvironmentFault(_nothing_fits(ranked) + notes)


def _why(chosen: Candidate, total: int, too_large: list[Candidate]) -> str:
    size = f"it needs {format_bytes(chosen.needed)} of {format_bytes(chosen.available)} free"
    if total == 1:
        return f"the only downloaded model; {size}"
    skipped = "".join(
        f"; {c.manifest.name} needs {format_bytes(c.needed)} and does not fit" for c in too_large
    )
    return f"the largest of {total} downloaded models that fits; {size}{skipped}"


def _nothing_fits(ranked: list[Candidate]) -> str:
    if not ranked:
        return f"no downloaded model can be used; run `gemma4 pull {OFFLINE_DEFAULT}`"
    least = min(ranked, key=lambda candidate: candidate.needed)
    return (
        f"none of the {len(ranked)} downloaded models fits: {least.manifest.name} needs least, "
        f"{format_bytes(least.needed)}, and {format_bytes(least.available)} are free; free memory, "
        f"give a smaller --ctx, run `gemma4 pull {OFFLINE_DEFAULT}`, or name a model to try it anyway"
    )


def _chosen(candidate: Candidate, store: Store, why: str) -> ChosenModel:
    name = candidate.manifest.name
    return ChosenModel(name=name, path=resolve(name, store), reason=f"model: {name}, {why}")


def _name_of(model: str) -> str:
    """What answers call it: the name in the store, or the path as given."""
    if not is_known_name(model) and local_path(model) is not None:
        return model
    return parse_reference(model).name


def load_chosen(chosen: ChosenModel, store: Store, placing: Placing) -> "LLM":
    """Load it.

    Raises:
        InputError: one of its kinds, if the files cannot be used as asked.
    """
    with collection_paused():
        from ...llm.load import load

        gc.freeze()  # modules stay until the process ends: no search needs to look at them again
    return load(
        chosen.name,
        device=placing.device,
        dtype=placing.dtype,
        kernels=placing.kernels,
        threads=placing.threads,
        context=placing.context,
        max_requests=1,
        drafter=None if placing.drafter == "none" else placing.drafter,
        store=store.root,
    )
