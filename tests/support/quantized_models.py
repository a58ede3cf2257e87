"""Shrunk models as `gemma4 quantize` writes them."""

from dataclasses import replace
from pathlib import Path

from native_models import random_model

from gemma4.cli.quantize.directory_job import plan_directory_job
from gemma4.cli.quantize.gguf_job import plan_gguf_job
from gemma4.config.huggingface.writer import write_config
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.save import save_checkpoint


def written(size: str, recipe: str, folder: Path) -> Path:
    """A shrunk model as `gemma4 quantize` writes it: a GGUF file, for `w4a16` a directory."""
    model = random_model(size)
    fields = write_config(replace(model.config, stored_dtype="float32"))
    save_checkpoint(model, fields, folder / "plain")
    packs = recipe == "w4a16"
    output = folder / ("packed" if packs else "packed.gguf")
    job = (plan_directory_job if packs else plan_gguf_job)(
        open_checkpoint(folder / "plain"),
        find_recipe(recipe),
        output,
        may_requantize=False,
        replaces=False,
    )
    job.write(lambda _count: None)
    return output
