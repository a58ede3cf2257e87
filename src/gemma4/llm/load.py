"""Open a checkpoint and make it talk."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..config import DrafterConfig, ModelConfig
from ..errors import CheckpointError
from ..fit.native import native_kv_dtype
from ..grammar import Grammars
from ..hub.names import resolve
from ..hub.store import Store, default_root
from ..kernels.cuda import CudaKernels
from ..kernels.native import Native
from ..model.gemma4 import Gemma4, build_model
from ..model.native.towers import kept_media, put_native_towers
from ..weights.checkpoint import Checkpoint
from ..weights.load import LoadReport, load_weights
from ..weights.open_checkpoint import open_checkpoint
from .chat_settings import ChatSettings, read_chat_settings
from .collection import collection_paused
from .drafts import LOOKUP, ChosenDrafter, choose_drafter, open_drafts
from .key_value_memory import KeyValueOptions, check_options, plan_memory
from .llm import LLM, ModelInfo
from .open_streams import open_streams
from .placement import Placement, choose_placement, explaining_memory, free_beside


@collection_paused()
def load(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    kernels: str = "auto",
    threads: int | None = None,
    context: int | None = None,
    kv_dtype: str = "auto",
    kv_memory: int | None = None,
    max_requests: int | None = None,
    projector: str | Path | None = None,
    text_only: bool = False,
    drafter: str | Path | None = LOOKUP,
    store: str | Path | None = None,
) -> LLM:
    """Load a downloaded model by name, or a directory, a `.gguf` or a `.safetensors` file.

    Args:
        device: `auto` takes a CUDA device if there is one, else the CPU.
        dtype: `auto`, `float32`, `bfloat16` or `float16`; on a processor a named one computes with torch.
        kernels: `auto` computes with native kernels on a processor and with Triton's on a GPU, `off` with
            torch; or `cuda`, or an instruction set, which must be there and computes in float32.
        threads: of the processor that compute, torch's as well; None: one for each core it may use.
        context: tokens of one request, prompt and answer; None: all, or what half of the free memory holds.
        kv_dtype: of keys and values: `auto` as the model computes, and in 16 bits beside native kernels,
            `float32`, `bfloat16`, `float16`, or `int8` with a scale for each token and head.
        kv_memory: bytes that keys and values of all requests may take, those remembered of earlier ones
            included; None: what `max_requests` of the whole context need, up to half of the free memory,
            and one in any case. Requests that do not fit beside others wait for them.
        max_requests: how many streams run at once; others wait. None: 4, or 1 where memory is short.
        projector: the mmproj file of a GGUF model; None takes the one beside it.
        text_only: leave a GGUF model's mmproj alone.
        drafter: guesses ahead and changes no answer: a name or path; `lookup`: what repeats; None: nothing.
        store: the folder of downloaded models; None: where the command line has it unless told.

    Raises:
        InputError: no such model, a damaged or unsupported checkpoint, a setting out of range.
        EnvironmentFault: the weights do not fit in memory.
    """
    started = time.perf_counter()
    models = Store(default_root() if store is None else Path(store))
    path = resolve(str(name_or_path), models)
    checkpoint = open_checkpoint(path, projector=projector, text_only=text_only)
    config = _target_config(checkpoint)
    wanted = KeyValueOptions(
        context=context, dtype=kv_dtype, num_bytes=kv_memory, max_requests=max_requests
    )
    check_options(wanted, config)
    plan = _Plan(
        name=_short_name(name_or_path),
        checkpoint=checkpoint,
        config=config,
        keys_values=wanted,
        drafter=drafter,
        chosen_drafter=choose_drafter(drafter, config, models),
        placement=_place(checkpoint, device, dtype, kernels, kv_dtype, threads),
        settings=read_chat_settings(checkpoint, config),
    )
    return _carry_out(plan, started)


def _place(
    checkpoint: Checkpoint,
    device: str,
    dtype: str,
    kernels: str,
    kv_dtype: str,
    threads: int | None,
) -> Placement:
    found = choose_placement(checkpoint, device, dtype, kernels, kv_dtype=kv_dtype, threads=threads)
    if threads is not None:
        torch.set_num_threads(threads)  # it computes where kernels do not; they are the process's
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """All that is decided before a weight is read."""

    name: str
    checkpoint: Checkpoint
    config: ModelConfig
    keys_values: KeyValueOptions
    drafter: str | Path | None
    chosen_drafter: ChosenDrafter | None
    placement: Placement
    settings: ChatSettings


def _carry_out(plan: _Plan, started: float) -> LLM:
    config, placement, settings = plan.config, plan.placement, plan.settings
    model, report = _fill_model(plan.checkpoint, config, placement)
    drafts = open_drafts(plan.drafter, plan.chosen_drafter, model, placement)
    computing = str(model.dtype).removeprefix("torch.")
    is_native = isinstance(placement.kernels, Native)
    memory = plan_memory(
        plan.keys_values,
        config,
        computing=native_kv_dtype(config.text) if is_native else computing,
        free_bytes=free_beside(plan.checkpoint, placement),
    )
    streams = open_streams(model, memory, drafts.speculator, placement.kernels)
    remarks = (plan.checkpoint, placement, memory, report, drafts, settings)
    info = ModelInfo(
        name=plan.name,
        family=config.family,
        device=str(placement.device),
        dtype=computing,
        modalities=config.modalities,
        context=memory.context,
        kv_tokens=memory.tokens,
        max_requests=memory.max_requests,
        kv_dtype=memory.dtype,
        kv_bytes=memory.num_bytes,
        template=settings.template.revision,
        template_came_along=settings.template_came_along,
        load_seconds=time.perf_counter() - started,
        kernels=_name(placement.kernels),
        threads=_threads(placement.kernels),
        notes=tuple(note for part in remarks for note in part.notes),
    )
    return LLM(
        model=model,
        streams=streams,
        tokenizer=settings.tokenizer,
        template=settings.template,
        defaults=settings.sampling,
        stop_ids=settings.stop_ids,
        is_chat_model=settings.is_chat_model,
        info=info,
        grammars=Grammars(
            settings.tokenizer, vocab_size=config.text.vocab_size, stop_ids=settings.stop_ids
        ),
        kernels=placement.kernels if isinstance(placement.kernels, Native) else None,
    )


def _target_config(checkpoint: Checkpoint) -> ModelConfig:
    if isinstance(checkpoint.config, DrafterConfig):
        raise CheckpointError(
            f"{checkpoint.path} is a drafter ({checkpoint.config.family}), which only speeds up "
            "another model; load that model"
        )
    return checkpoint.config


def _fill_model(
    checkpoint: Checkpoint, config: ModelConfig, placement: Placement
) -> tuple[Gemma4, LoadReport]:
    model = build_model(config)
    native = placement.kernels if isinstance(placement.kernels, Native) else None
    with explaining_memory(checkpoint, placement):
        report = load_weights(
            model,
            checkpoint,
            device=placement.device,
            dtype=placement.dtype,
            keep_blocks=native is not None,
            keep_media=kept_media(config) if native else (),
            tile=isinstance(placement.kernels, CudaKernels),
        )
    if native is not None:
        report = replace(report, notes=(*report.notes, *put_native_towers(model, native)))
    return model, report


def _name(kernels: Native | CudaKernels | None) -> str:
    match kernels:
        case Native():
            return kernels.kernels
        case CudaKernels():
            return "cuda"
    return "torch"


def _threads(kernels: Native | CudaKernels | None) -> int:
    return kernels.num_threads if isinstance(kernels, Native) else torch.get_num_threads()


def _short_name(name_or_path: str | Path) -> str:
    path = Path(name_or_path)
    return path.name or path.absolute().name if path.exists() else str(name_or_path)
