"""What `gemma4 fit` estimates: published models and those on disk, as they would compute here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..catalog import FAMILY, Tag, is_known_name, parse_name
from ..config import DrafterConfig, ModelConfig
from ..errors import InputError
from ..fit.counts import count_resident_values
from ..fit.estimate import FitReport, Job, estimate_fit
from ..fit.expansion import expanded_dtype
from ..fit.machine import Machine
from ..fit.native import COMPUTING
from ..fit.precision import Quantization, find_quantization
from ..fit.weights import StoredWeights, WeightsEstimate, estimate_stored_weights, estimate_weights
from ..kernels.native import Missing, Native
from ..llm.native_choice import OFF, usable_kernels
from .session import Session

_TABLE_QUANTIZATIONS = ("bf16", "q8_0", "q4_0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model in one quantization.

    Attributes:
        model: its name for people.
        weights: counted in a dtype of computation, with native kernels or without.
        torch_dtype: that torch computes in, here or on a GPU.
        kernels: that compute here; or why torch does, None where nobody expects them.
    """

    model: str
    quantization: str
    config: ModelConfig
    weights: Callable[[str, bool], WeightsEstimate]
    torch_dtype: str
    kernels: Native | Missing | None

    @property
    def native(self) -> bool:
        """Whether native kernels compute here."""
        return isinstance(self.kernels, Native)

    @property
    def run_dtype(self) -> str:
        """Dtype of computation here."""
        return COMPUTING if self.native else self.torch_dtype


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """How a model is to be loaded, as far as memory depends on it."""

    quant: str | None
    media: bool
    kernels: str
    available_bytes: int


def estimate(candidate: Candidate, job: Job, machine: Machine) -> FitReport:
    """What a job takes here, computed as the candidate is; and on GPUs, where the native kernels do not."""
    job = replace(job, run_dtype=candidate.run_dtype, native=candidate.native)
    weights = candidate.weights(job.run_dtype, job.native)
    report = estimate_fit(candidate.config, weights, job, machine)
    if not (job.native and machine.gpus):
        return report
    there = replace(job, native=False, run_dtype=candidate.torch_dtype)
    expanded = candidate.weights(candidate.torch_dtype, False)
    return replace(report, gpus=estimate_fit(candidate.config, expanded, there, machine).gpus)


def list_candidates(session: Session, model: str | None, planned: Planned) -> list[Candidate]:
    """What to estimate: every size in the usual quantizations, or the one model that was named.

    Raises:
        ModelNotFoundError, ConfigError, CheckpointError: no such model, or one that is not usable.
    """
    if model is None:
        names = _TABLE_QUANTIZATIONS if planned.quant is None else (planned.quant,)
        return [
            _published(member.name, member.config, find_quantization(name), planned)
            for member in FAMILY
            for name in names
        ]
    path = _find_files(session, model)
    if path is None:
        named = parse_name(model)
        default = "q4_0" if named.tag == Tag.QAT_Q4_0 else "bf16"
        quantization = find_quantization(planned.quant or default)
        return [_published(named.text, named.member.config, quantization, planned)]
    return [_stored(model, path, planned)]


def _find_files(session: Session, model: str) -> Path | None:
    """Where a model lies on this machine; None for a short name that is not downloaded."""
    from ..hub.names import find_stored, resolve

    if is_known_name(model) and find_stored(model, session.store) is None:
        return None
    return resolve(model, session.store)


def _published(
    name: str, config: ModelConfig, quantization: Quantization, planned: Planned
) -> Candidate:
    run_dtype = quantization.run_dtype
    if run_dtype is None:
        values = count_resident_values(config, media=planned.media)
        run_dtype = expanded_dtype(values, planned.available_bytes)
    return Candidate(
        model=name,
        quantization=quantization.name,
        config=config,
        weights=lambda dtype, native: estimate_weights(config, quantization, dtype, native=native),
        torch_dtype=run_dtype,
        kernels=None if planned.kernels == OFF else usable_kernels(config, planned.kernels),
    )


def _stored(name: str, path: Path, planned: Planned) -> Candidate:
    """A model on disk, in its own encodings, or as if it were in another quantization."""
    from ..llm.placement import choose_placement
    from ..weights.in_place import table_obstacle
    from ..weights.open_checkpoint import open_checkpoint
    from ..weights.stored_weights import stored_weights

    checkpoint = open_checkpoint(path, text_only=not planned.media)
    config = checkpoint.config
    if isinstance(config, DrafterConfig):
        raise InputError(f"{name} is a drafter, which runs beside its target; give the target")
    if planned.quant is not None:
        return _published(name, config, find_quantization(planned.quant), planned)
    tensors = stored_weights(checkpoint)
    run_dtype = str(choose_placement(checkpoint, "cpu", "auto").dtype).removeprefix("torch.")
    return Candidate(
        model=name,
        quantization=_main_encoding(tensors),
        config=config,
        weights=lambda dtype, native: estimate_stored_weights(tensors, dtype, native=native),
        torch_dtype=run_dtype,
        kernels=None
        if planned.kernels == OFF
        else usable_kernels(
            config, planned.kernels, obstacle=table_obstacle(checkpoint.source.tensors)
        ),
    )


def _main_encoding(tensors: list[StoredWeights]) -> str:
    """The encoding that most bytes are in, embeddings left out."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        if "embed_tokens" in tensor.name:
            continue
        sizes[tensor.encoding] = sizes.get(tensor.encoding, 0) + tensor.nbytes
    return max(sizes, key=lambda encoding: sizes[encoding], default="none").lower()
