"""E2B's media towers beside transformers', on the same random weights, in one run.

    .venv/bin/python bench/towers.py [--rounds 7] [--threads 2] [--only audio_30s] [--peers bf16]
    .venv/bin/python bench/towers.py --threads 1 --processor-time

One image of 280 soft tokens (960×672 pixels), and 30 seconds of sound, each from prepared patches or mel
frames to soft tokens in the decoder's width. The checkpoint has E2B's towers in bfloat16 and a decoder of
two layers, which nothing runs. Ours is what `gemma4.load` makes of it: native kernels over the mapped file.
transformers loads it with `from_pretrained`, in bfloat16 (as it is stored) and in float32. All take turns,
so that a noisy machine disturbs all; a ratio is the median of the ratios of neighbours (above 1: ours is
faster), and the goal stands beside transformers in the quicker of its dtypes. `--processor-time` counts what
this process computed instead of the clock, for a machine that is busy with other things: time spent waiting
for a core is not in it, and with one thread nobody waits for another. The last line is JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from machine import describe_machine
from random_checkpoint import write_random_checkpoint
from transformers import Gemma4ForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from gemma4.config import ModelConfig
from gemma4.config.published import E2B, repeat_pattern
from gemma4.kernels.native import Native, find_native
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.model.native.towers import kept_media, put_native_towers
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

COLUMNS, ROWS = 20, 14
"""Soft tokens of the image."""

FRAMES = 3000
"""Mel frames of the sound, ten milliseconds each."""

PEERS = {"bf16": torch.bfloat16, "f32": torch.float32}


def e2b_towers() -> ModelConfig:
    """E2B with whole towers and hardly any decoder."""
    text = replace(
        E2B.text,
        vocab_size=512,
        per_layer_vocab_size=512,
        layer_kinds=repeat_pattern(1, 1),
        num_kv_shared_layers=0,
    )
    return replace(E2B, text=text)


def load_ours(directory: Path, native: Native) -> Gemma4:
    """As `gemma4.load` does it."""
    checkpoint = open_checkpoint(directory)
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    kept = kept_media(checkpoint.config)
    load_weights(model, checkpoint, keep_blocks=True, keep_media=kept)
    assert not put_native_towers(model, native)
    return model


def load_theirs(directory: Path, dtype: torch.dtype) -> Any:
    """As `from_pretrained` does it."""
    model = Gemma4ForConditionalGeneration.from_pretrained(directory, dtype=dtype)
    return model.model.eval().requires_grad_(False)


def make_media() -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """Patches and positions of the image, features and mask of the sound."""
    draw = torch.Generator().manual_seed(1)
    grid = torch.arange(3 * ROWS), torch.arange(3 * COLUMNS)
    positions = torch.cartesian_prod(*grid).flip(-1)
    features = torch.randn(FRAMES, 128, generator=draw)
    return (
        (torch.rand(len(positions), 768, generator=draw), positions),
        (features, torch.ones(FRAMES, dtype=torch.bool)),
    )


Encode = Callable[[], torch.Tensor]


def encoders(ours: Gemma4, theirs: Mapping[str, Any]) -> dict[str, dict[str, Encode]]:
    """Metric → side → what is timed."""
    image, sound = make_media()
    images: dict[str, Encode] = {"ours": lambda: ours.encode_image(*image)}
    sounds: dict[str, Encode] = {"ours": lambda: ours.encode_audio(*sound)}
    for name, model in theirs.items():
        images[name] = lambda model=model: model.get_image_features(
            *(part[None] for part in image), return_dict=True
        ).pooler_output[0]
        sounds[name] = lambda model=model: model.get_audio_features(
            *(part[None] for part in sound), return_dict=True
        ).pooler_output[0]
    return {"image_280": images, "audio_30s": sounds}


def measure(
    sides: Mapping[str, Encode], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of every side in every round, one after the other; a first round is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, encode in sides.items():
            started = clock()
            encode()
            if number:
                samples[name].append(clock() - started)
    return samples


def rows_of(metric: str, samples: Mapping[str, list[float]]) -> list[dict[str, object]]:
    """One row for each dtype of transformers: milliseconds, and theirs ÷ ours."""
    rows: list[dict[str, object]] = []
    ours = samples["ours"]
    for name, theirs in samples.items():
        if name == "ours":
            continue
        ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
        rows.append(
            {
                "model": "e2b",
                "quant": f"bf16, theirs {name}",
                "metric": metric,
                "peer": "transformers",
                "ours": round(1e3 * statistics.median(ours), 1),
                "theirs": round(1e3 * statistics.median(theirs), 1),
                "ratio": round(ratio, 3),
            }
        )
    return rows


def distance(sides: Mapping[str, Encode]) -> dict[str, float]:
    """Relative root mean square distance of our soft tokens from transformers' in its dtypes."""
    ours = sides["ours"]().double()
    return {
        name: float((ours - encode().double()).norm() / ours.norm())
        for name, encode in sides.items()
        if name != "ours"
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor-time", action="store_true", help="in place of the clock's")
    parser.add_argument("--peers", choices=sorted(PEERS), help="one dtype of transformers")
    parser.add_argument("--only", choices=("image_280", "audio_30s"), help="one metric")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    disable_progress_bar()
    torch.set_num_threads(options.threads)
    native = find_native(num_threads=options.threads)
    if not isinstance(native, Native):
        raise SystemExit(native.reason)
    clock = time.process_time if options.processor_time else time.perf_counter
    print(json.dumps({**describe_machine(options.threads), "kernels": native.kernels}))
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        directory = Path(folder) / "e2b"
        write_random_checkpoint(e2b_towers(), directory, "bfloat16")
        theirs = {
            name: load_theirs(directory, dtype)
            for name, dtype in PEERS.items()
            if options.peers in (None, name)
        }
        for metric, sides in encoders(load_ours(directory, native), theirs).items():
            if options.only not in (None, metric):
                continue
            found = rows_of(metric, measure(sides, options.rounds, clock))
            for row in found:
                print(
                    f"{metric:10} ours {row['ours']:>8} ms   transformers {row['quant']:16} "
                    f"{row['theirs']:>8} ms   ratio {row['ratio']}"
                )
            off = ", ".join(f"{name} {value:.2%}" for name, value in distance(sides).items())
            print(f"{metric:10} from transformers: {off}")
            rows += found
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
