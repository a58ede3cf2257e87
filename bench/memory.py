"""The peak of memory that `gemma4 fit` predicts for a model on disk, beside the one measured.

    .venv/bin/python bench/memory.py PATH [--ctx 2048] [--kernels off] [--dtype auto] [--image FILE]

PATH is a checkpoint's directory or a .gguf file. A process of its own loads it, reads a prompt that
fills the context but for a few tokens, answers with those, and tells its highest resident set, and the
highest of its private part and of its pages of files (Linux). With an image or a sound the prompt is
short. With native kernels the private part is what is compared: pages of files are the system's cache,
among them rows of the per-layer table that the prompt's words looked up. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

STEPS = 8
"""Tokens of the answer."""

COMPARED = ("private", "mapped", "peak")

PAUSE = 0.002
"""Seconds between two looks at the parts of memory, whose peaks the system does not keep."""


class Watch:
    """The highest bytes of private memory and of mapped files since it was made."""

    def __init__(self) -> None:
        self.private = self.mapped = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.private = max(self.private, _bytes("RssAnon"))
            self.mapped = max(self.mapped, _bytes("RssFile"))
            time.sleep(PAUSE)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Load, prefill, decode, all in this process; its peak in bytes and the dtype it ran in."""
    watch = Watch()
    import torch

    import gemma4
    from gemma4.engine.prompt import Prompt
    from gemma4.engine.sampling import Sampling

    llm = gemma4.load(
        options.path,
        device="cpu",
        dtype=options.dtype,
        kernels=options.kernels,
        context=options.ctx,
        max_requests=1,
    )
    loaded = watch.private
    settings = Sampling(temperature=0.0, max_tokens=STEPS)
    if options.image or options.audio:
        parts: list[dict[str, object]] = [{"type": "text", "text": "What is this?"}]
        for kind in ("image", "audio"):
            if found := getattr(options, kind):
                parts.insert(0, {"type": kind, kind: str(found)})
        llm.chat([{"role": "user", "content": parts}], temperature=0.0, max_tokens=STEPS)
    else:
        generator = torch.Generator().manual_seed(0)
        length = options.ctx - STEPS
        ids = torch.randint(3, llm.config.text.vocab_size, (length,), generator=generator)
        engine = llm.streams.engine
        for _ in llm.streams.run(engine.prepare(Prompt(ids=ids), settings)):
            pass
    return {
        "dtype": llm.info.dtype,
        "kernels": llm.info.kernels,
        "loaded_bytes": loaded,
        "private_bytes": watch.private,
        "mapped_bytes": watch.mapped,
        "peak_bytes": _bytes("VmHWM"),
    }


def _bytes(name: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in status)[name].split()[0]) * 1024


def predict(options: argparse.Namespace, dtype: str, *, native: bool) -> dict[str, object]:
    """What fit says of the same job."""
    from gemma4.config import ModelConfig
    from gemma4.fit import Job, estimate_fit, estimate_stored_weights, read_machine
    from gemma4.weights.open_checkpoint import open_checkpoint
    from gemma4.weights.stored_weights import stored_weights

    checkpoint = open_checkpoint(options.path)
    assert isinstance(checkpoint.config, ModelConfig)
    weights = estimate_stored_weights(stored_weights(checkpoint), dtype, native=native)
    # Towers that stay in the file are only read if they are used; converted ones lie in memory.
    media = bool(options.image or options.audio) or weights.media_copied_bytes > 0
    job = Job(context=options.ctx, run_dtype=dtype, media=media, native=native)
    return asdict(estimate_fit(checkpoint.config, weights, job, read_machine()))


def main() -> None:
    """Measure, predict, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--ctx", type=int, default=2048)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--kernels", default="auto")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    words = [sys.executable, __file__, *sys.argv[1:], "--measure"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    native = measured["kernels"] != "torch"
    predicted = predict(options, measured["dtype"], native=native)
    for part in ("weights", "media", "kv_cache", "activation", "runtime", *COMPARED):
        size = int(str(predicted[f"{part}_bytes"]))
        print(f"{part:12}{size / 2**20:10,.1f} MiB predicted")
    print(f"{'':12}{measured['dtype']}, {measured['kernels']}")
    errors = {}
    for part in COMPARED:
        size = measured[f"{part}_bytes"]
        errors[part] = int(str(predicted[f"{part}_bytes"])) / size - 1
        print(f"{part:12}{size / 2**20:10,.1f} MiB measured: {errors[part]:+.1%}")
    error = errors["private" if native else "peak"]
    result = {"path": str(options.path), "context": options.ctx, "error": error}
    print(json.dumps(result | {"measured": measured, "predicted": predicted}))


if __name__ == "__main__":
    main()
