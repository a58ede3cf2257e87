"""The prediction against a process that really loads a random model and answers."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gemma4.cli.quantize.gguf_job import plan_gguf_job
from gemma4.config.huggingface.writer import write_config
from gemma4.config.model import ModelConfig
from gemma4.config.published import B31, repeat_pattern
from gemma4.fit import FitReport, Job, Machine, estimate_fit, estimate_stored_weights
from gemma4.fit.estimate import LIBRARY_BYTES, LIBRARY_FILE_BYTES
from gemma4.tensors.table import tensor_table
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.stored_weights import stored_weights

MID_SIZE = ModelConfig(
    family="gemma4",
    text=replace(
        B31.text,
        vocab_size=32_768,
        hidden_size=1024,
        intermediate_size=4096,
        layer_kinds=repeat_pattern(5, 1),
        num_heads=8,
        num_kv_heads=4,
        num_full_kv_heads=2,
    ),
    stored_dtype="bfloat16",
)
MACHINE = Machine(total_bytes=2**34, available_bytes=2**34)
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of 150 million numbers in bfloat16."""
    folder = tmp_path_factory.mktemp("mid-size")
    generator = torch.Generator().manual_seed(0)
    tensors = {
        entry.name: torch.randn(entry.shape, generator=generator).mul_(0.02).bfloat16()
        for entry in tensor_table(MID_SIZE)
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(write_config(MID_SIZE)))
    return folder


@pytest.fixture(scope="module")
def packed(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in blocks of 4 bits, the embedding in 6."""
    path = tmp_path_factory.mktemp("packed") / "mid-size-q4_0.gguf"
    job = plan_gguf_job(
        open_checkpoint(checkpoint),
        find_recipe("q4_0"),
        path,
        may_requantize=False,
        replaces=False,
    )
    job.write(lambda _count: None)
    return path


def predict(path: Path, job: Job) -> FitReport:
    tensors = stored_weights(open_checkpoint(path))
    weights = estimate_stored_weights(tensors, job.run_dtype, native=job.native)
    return estimate_fit(MID_SIZE, weights, job, MACHINE)


def measure(path: Path, computing: str, context: int) -> dict[str, int]:
    script = Path(__file__).with_name("measured_peak.py")
    words = [sys.executable, str(script), str(path), computing, str(context)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=250)
    measured: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return measured


@pytest.mark.parametrize(
    ("dtype", "context"), [("bfloat16", 1024), ("float32", 1024), ("bfloat16", 4096)]
)
def test_what_a_model_takes_is_predicted_within_five_percent_of_the_peak(
    checkpoint: Path, dtype: str, context: int
) -> None:
    """In bfloat16 the weights stay in the file. In float32 they are new, and the file's pages go.

    What the libraries take differs from processor to processor, so it is held to account on its own,
    within 35 %.
    """
    job = Job(context=context, run_dtype=dtype, media=False, tokenizer=False)
    predicted = predict(checkpoint, job).peak_bytes - LIBRARY_BYTES
    measured = measure(checkpoint, dtype, context)
    taken = measured["peak"] - measured["libraries"]
    error = (predicted - taken) / measured["peak"]
    assert abs(error) <= 0.05, f"{predicted:,} predicted, {taken:,} measured"
    libraries = LIBRARY_BYTES / measured["libraries"] - 1
    assert abs(libraries) <= 0.35, f"{LIBRARY_BYTES:,} allowed, {measured['libraries']:,} measured"


@pytest.mark.parametrize("context", [1024, 8192])
def test_private_memory_beside_native_kernels_is_predicted_within_a_tenth_or_40_megabytes(
    packed: Path, context: int
) -> None:
    """The weights stay in the file: they are no part of private memory. Longer prompts come in chunks.

    The anonymous memory of the libraries is held to account on its own, within 35 %.
    """
    job = Job(context=context, run_dtype="float32", media=False, tokenizer=False, native=True)
    report = predict(packed, job)
    allowed = LIBRARY_BYTES - LIBRARY_FILE_BYTES
    measured = measure(packed, "native", context)
    predicted, taken = report.private_bytes - allowed, measured["peak"] - measured["libraries"]
    error = abs(predicted - taken)
    assert error <= max(40 * MEGABYTE, taken / 10), f"{predicted:,} predicted, {taken:,} measured"
    libraries = allowed / measured["libraries"] - 1
    assert abs(libraries) <= 0.35, f"{allowed:,} allowed, {measured['libraries']:,} measured"
    assert report.mapped_bytes - LIBRARY_FILE_BYTES == pytest.approx(
        packed.stat().st_size, rel=0.01
    )
