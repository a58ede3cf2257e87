"""A quantization into a Hugging Face directory."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ...config.huggingface.reader import load_json_object
from ...config.huggingface.writer import write_config
from ...errors import InputError
from ...weights.checkpoint import Checkpoint, CheckpointFormat
from ...weights.output_files import new_directory
from ...weights.quantize.directory import (
    directory_notes,
    directory_tensors,
    new_config_json,
    plan_directory,
    write_directory,
)
from ...weights.quantize.recipes import W4A16, Recipe
from .companions import files_for_directory
from .job import Job, OnBytes, Output, Target, check_directory, check_source


def plan_directory_job(
    checkpoint: Checkpoint, recipe: Recipe, output: Path, *, may_requantize: bool, replaces: bool
) -> Job:
    """Check all that can be checked before the first byte is written.

    Raises:
        InputError: the output is there or is the source; the recipe is one of GGUF alone; or the
            source is quantized and may not be again.
        CheckpointError: tensors are missing.
    """
    if recipe.matrix != W4A16 and not recipe.is_plain:
        raise InputError(
            f"{recipe.name} is a format of GGUF files; give an output that ends in .gguf, or one of "
            "w4a16, bf16, f16, f32 for a directory"
        )
    check_directory(checkpoint, output, replaces=replaces)
    config_json = _config_json(checkpoint)
    planned = plan_directory(checkpoint.config, recipe, str(config_json["model_type"]))
    files, more = files_for_directory(checkpoint)
    targets = [
        Target(entry=tensor.entry, format=tensor.format, nbytes=tensor.nbytes) for tensor in planned
    ]
    notes = check_source(checkpoint, targets, may_requantize=may_requantize)

    def write(on_bytes: OnBytes) -> None:
        threads = torch.get_num_threads()
        tensors = directory_tensors(planned, checkpoint.source, threads=threads, on_bytes=on_bytes)
        described = new_config_json(config_json, recipe, planned)
        with new_directory(output, replaces=replaces) as partial:
            write_directory(partial, tensors, described, files)

    weights = sum(target.nbytes for target in targets)
    return Job(
        outputs=[Output(path=output, nbytes=weights, targets=targets)],
        notes=(*notes, *more, *directory_notes(planned)),
        write=write,
    )


def _config_json(checkpoint: Checkpoint) -> Mapping[str, object]:
    """The source's own, or one made of a GGUF file's configuration."""
    if checkpoint.format is CheckpointFormat.GGUF:
        return write_config(checkpoint.config)
    path = checkpoint.path
    return load_json_object((path if path.is_dir() else path.parent) / "config.json")
