"""What `gemma4 fit` estimates: published models and those on disk, as they would compute here."""

from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ..catalog import FAMILY, Tag, is_known_name, parse_name
from ..config import DrafterConfig, ModelConfig
from ..errors import InputError
from ..fit.counts import count_resident_values
from ..fit.estimate import FitReport, Job, estimate_fit
from ..fit.expansion import expanded_dtype
from ..fit.machine import Machine
from ..fit.native import COMPUTING
from ..fit.precision import Quantization, find_quantization
from ..fit.tiles import GPU_DTYPE, gpu_obstacle
from ..fit.weights import StoredWeights, WeightsEstimate, estimate_stored_weights, estimate_weights
from ..kernels.native import Missing, Native
from ..llm.native_choice import AUTO, OFF, usable_kernels
from .session import Session

_TABLE_QUANTIZATIONS = ("bf16", "q8_0", "q4_0")


class Weighing(Protocol):
    """The weights of a model, counted in a dtype of computation."""

    def __call__(
        self, run_dtype: str, /, *, native: bool = False, tiled: bool = False
    ) -> WeightsEstimate:
        """With native kernels, beside a GPU's, or for torch alone."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model in one quantization.

    Attributes:
        model: its name for people.
        torch_dtype: that torch computes in, here or on a GPU.
        kernels: that compute here; or why torch does, None where nobody expects them.
        gpu_dtype: that a GPU's kernels would compute in.
        no_gpu_kernels: why they do not, whatever the job; None: nothing is in their way.
    """

    model: str
    quantization: str
    config: ModelConfig
    weights: Weighing
    torch_dtype: str
    kernels: Native | Missing | None
    gpu_dtype: str
    no_gpu_kernels: str | None

    @property
    def native(self) -> bool:
        """Whether native kernels compute here."""
        return isinstance(self.kernels, Native)

    @property
    def run_dtype(self) -> str:
        """Dtype of computation here."""
        return COMPUTING if self.native else self.torch_dtype

    def why_torch_on_gpu(self, job: Job) -> str | None:
        """Why torch would compute the job on a GPU, weights expanded; None: kernels would."""
        return self.no_gpu_kernels or gpu_obstacle(self.config.text, self.gpu_dtype, job.kv_dtype)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """How a model is to be loaded, as far as memory depends on it."""

    quant: str | None
    media: bool
    kernels: str
    available_bytes: int


def estimate(candidate: Candidate, job: Job, machine: Machine) -> FitReport:
    """What a job takes here, computed as the candidate is; and on GPUs, as their kernels or torch would."""
    here = replace(job, run_dtype=candidate.run_dtype, native=candidate.native)
    weights = candidate.weights(here.run_dtype, native=here.native)
    report = estimate_fit(candidate.config, weights, here, machine)
    if not machine.gpus:
        return report
    reason = candidate.why_torch_on_gpu(job)
    tiled = reason is None
    there = replace(job, run_dtype=candidate.gpu_dtype if tiled else candidate.torch_dtype)
    weights = candidate.weights(there.run_dtype, tiled=tiled)
    gpus = estimate_fit(candidate.config, weights, there, machine).gpus
    return replace(report, gpus=tuple(replace(gpu, torch_because=reason) for gpu in gpus))


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
        weights=partial(estimate_weights, config, quantization),
        torch_dtype=run_dtype,
        kernels=None if planned.kernels == OFF else usable_kernels(config, planned.kernels),
        gpu_dtype=quantization.run_dtype or GPU_DTYPE,
        no_gpu_kernels=_no_gpu_kernels(planned),
    )


def _stored(name: str, path: Path, planned: Planned) -> Candidate:
    """A model on disk, in its own encodings, or as if it were in another quantization."""
    from ..llm.placement import choose_placement, stored_dtype
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
        weights=partial(estimate_stored_weights, tensors),
        torch_dtype=run_dtype,
        kernels=None
        if planned.kernels == OFF
        else usable_kernels(
            config, planned.kernels, obstacle=table_obstacle(checkpoint.source.tensors)
        ),
        gpu_dtype=str(stored_dtype(checkpoint) or GPU_DTYPE).removeprefix("torch."),
        no_gpu_kernels=_no_gpu_kernels(planned),
    )


def _no_gpu_kernels(planned: Planned) -> str | None:
    """Why no model is computed by a GPU's kernels; as `load` has it, but without asking torch."""
    if planned.kernels != AUTO:
        return f"kernels {planned.kernels} was asked for"
    if find_spec("triton") is None:
        return "triton is not installed; pip install 'gemma4[gpu]' brings it"
    return None


def _main_encoding(tensors: list[StoredWeights]) -> str:
    """The encoding that most bytes are in, embeddings left out."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        if "embed_tokens" in tensor.name:
            continue
        sizes[tensor.encoding] = sizes.get(tensor.encoding, 0) + tensor.nbytes
    return max(sizes, key=lambda encoding: sizes[encoding], default="none").lower()
