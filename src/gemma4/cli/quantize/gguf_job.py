"""A quantization into GGUF files: the model's, and its projector's where it sees or hears."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from ...config import ModelConfig
from ...weights.checkpoint import Checkpoint, CheckpointFormat
from ...weights.gguf.metadata import MetadataValue
from ...weights.gguf.writer import GgufTensor, gguf_bytes, write_gguf
from ...weights.output_files import new_files
from ...weights.quantize.gguf_file import gguf_tensors, rope_freqs_tensor
from ...weights.quantize.gguf_metadata import Origin, media_metadata, text_metadata
from ...weights.quantize.plan import GgufPlan, PlannedTensor, plan_gguf
from ...weights.quantize.recipes import Recipe
from .companions import companions_for_gguf
from .job import Job, OnBytes, Output, Target, check_file, check_source, encoded_again, formats_of


@dataclass(frozen=True, kw_only=True, slots=True)
class _Content:
    """One file."""

    path: Path
    keys: Mapping[str, MetadataValue]
    planned: Sequence[PlannedTensor]
    rope_freqs: GgufTensor | None = None

    def tensors(self, checkpoint: Checkpoint, on_bytes: OnBytes) -> list[GgufTensor]:
        threads = torch.get_num_threads()
        tensors = gguf_tensors(self.planned, checkpoint.source, threads=threads, on_bytes=on_bytes)
        return tensors if self.rope_freqs is None else [self.rope_freqs, *tensors]

    def output(self, checkpoint: Checkpoint) -> Output:
        return Output(
            path=self.path,
            nbytes=gguf_bytes(self.keys, self.tensors(checkpoint, _ignore)),
            targets=_targets(self.planned),
        )


def plan_gguf_job(
    checkpoint: Checkpoint, recipe: Recipe, output: Path, *, may_requantize: bool, replaces: bool
) -> Job:
    """Check all that can be checked before the first byte is written.

    Raises:
        InputError: the output is there or is the source; the recipe is none of GGUF; or the source is
            quantized and may not be again.
        CheckpointError, ConfigError: tensors are missing, or GGUF cannot say what the model is.
    """
    plan = plan_gguf(checkpoint.config, recipe)
    projector = output.with_name(f"mmproj-{output.name}")
    paths = [projector, output] if plan.media else [output]
    check_file(checkpoint, paths, replaces=replaces)
    targets = _targets((*plan.text, *plan.media))
    notes = check_source(checkpoint, targets, may_requantize=may_requantize)
    contents, more = _contents(checkpoint, recipe, plan, paths)

    def write(on_bytes: OnBytes) -> None:
        with new_files(paths) as files:
            for content, file in zip(contents, files, strict=True):
                write_gguf(file, content.keys, content.tensors(checkpoint, on_bytes))

    return Job(
        outputs=[content.output(checkpoint) for content in contents],
        notes=(*notes, *more, *plan.notes),
        write=write,
    )


def _contents(
    checkpoint: Checkpoint, recipe: Recipe, plan: GgufPlan, paths: Sequence[Path]
) -> tuple[list[_Content], tuple[str, ...]]:
    """The files, the projector's first; and notes on what GGUF has no key for."""
    config = checkpoint.config
    origin = _origin(checkpoint, _targets((*plan.text, *plan.media)))
    notes: tuple[str, ...] = ()
    if checkpoint.format is CheckpointFormat.GGUF:
        told = text_metadata(config, plan, recipe, origin, checkpoint.metadata)
    else:
        came_with, notes = companions_for_gguf(checkpoint)
        told = text_metadata(config, plan, recipe, origin, came_with)
    freqs = None if config.family == "gemma3" else rope_freqs_tensor(config.text)
    contents = [_Content(path=paths[-1], keys=told.keys, planned=plan.text, rope_freqs=freqs)]
    if plan.media:
        assert isinstance(config, ModelConfig)
        keys = media_metadata(config, plan, recipe, origin)
        contents.insert(0, _Content(path=paths[0], keys=keys, planned=plan.media))
    return contents, (*notes, *told.notes)


def _origin(checkpoint: Checkpoint, targets: Sequence[Target]) -> Origin:
    path = checkpoint.path.resolve()
    return Origin(
        name=path.stem if path.is_file() else path.name,
        file=path.name,
        encodings=formats_of(checkpoint),
        requantized=encoded_again(checkpoint, targets),
        program=f"gemma4 {version('gemma4')}",
    )


def _targets(planned: Sequence[PlannedTensor]) -> list[Target]:
    return [
        Target(entry=tensor.entry, format=tensor.format.name, nbytes=tensor.nbytes)
        for tensor in planned
    ]


def _ignore(_count: int) -> None:
    """Nobody wants to know."""
