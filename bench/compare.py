"""Ours, llama.cpp, transformers and vLLM in turn, in one run, on the same checkpoints.

    .venv/bin/python bench/compare.py e2b,e4b --files DIR --llamacpp PYTHON \\
        [--transformers PYTHON] [--vllm PYTHON] [--only prefill,decode] [--rounds 5] [--passes 1]

Each PYTHON is the interpreter of an environment with that program in it (bench/README.md). Missing
checkpoints are written by true_shape.py: Q4_0 for llama.cpp, bfloat16 for the other two, which read no
Q4_0; ours is measured in both. One process at a time runs, each with `--threads` threads; `--passes`
repeats the whole round and joins the samples. Results: bench/results/DATE-MACHINE-SIZES.md, the rows as .json
and what each side said as -raw.json.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from machine import describe_machine, short_name
from measurement import CONVERSATION, GROUPS, Figure, Report, model_bytes
from results_table import Comparison, as_json, write_markdown

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.weights.gguf.file import open_gguf

HERE = Path(__file__).parent
PEERS = {
    "llamacpp": ("q4_0", "peers/llamacpp.py"),
    "transformers": ("bf16", "peers/transformers_peer.py"),
    "vllm": ("bf16", "peers/vllm_peer.py"),
}
"""Option → the weights it reads, and its script."""

TABLES = ("per_layer_token_embd.weight", "embed_tokens_per_layer.weight")
"""Weights that a step reads a few rows of."""


class Bench:
    """One run: what was asked for, what every side said, what failed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.reports: dict[tuple[str, str, str], Report] = {}
        self.failures: list[str] = []

    def name(self, size: str) -> str:
        """A size as tables and files call it."""
        return size + (f"-{self.options.layers}layers" if self.options.layers else "")

    def checkpoint(self, size: str, quant: str) -> Path:
        """The file or directory of a size; written if it is not there."""
        layers = self.options.layers
        suffix = "-bf16" if quant == "bf16" else "-q4_0.gguf"
        path = Path(self.options.files) / f"{self.name(size)}{suffix}"
        if not path.exists():
            words = [sys.executable, HERE / "true_shape.py", size, self.options.files]
            words += ["--layers", str(layers)] if layers else []
            words += ["--bf16"] if quant == "bf16" else []
            subprocess.run(words, check=True)
        return path

    def measure(self, size: str, quant: str, side: str, python: str, script: str) -> None:
        """One side on one checkpoint; a failure is kept and told in the table."""
        options = self.options
        command = [python, str(HERE / script), str(self.checkpoint(size, quant))]
        command += ["--threads", str(options.threads), "--rounds", str(options.rounds)]
        command += ["--turn-rounds", str(options.turn_rounds), "--only", options.only]
        command += ["--conversation", str(options.conversation)]
        print(f"--- {size} {quant} {side}", file=sys.stderr, flush=True)
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
        if done.returncode:
            self.failures.append(f"{side} on {size} {quant} ended with status {done.returncode}")
            return
        # Some programs say goodbye after our last line.
        answers = [line for line in done.stdout.splitlines() if line.startswith('{"side"')]
        if not answers:
            self.failures.append(f"{side} on {size} {quant} ended without a report")
            return
        said = json.loads(answers[-1])
        said["figures"] = {name: Figure(**figure) for name, figure in said["figures"].items()}
        report = Report(**said)
        key = (size, quant, side)
        if key in self.reports:
            report = _joined(self.reports[key], report)
        self.reports[key] = report

    def compare(self, size: str, peer: str) -> list[Comparison]:
        """A peer beside ours in the same precision, and beside our Q4_0 where it has none."""
        quant, _ = PEERS[peer]
        theirs = self.reports.get((size, quant, peer))
        found = []
        for mine in dict.fromkeys((quant, "q4_0")):
            ours = self.reports.get((size, mine, "ours"))
            if ours is not None and theirs is not None:
                sizes = (self.weights_read(size, mine), self.weights_read(size, quant))
                name = quant if mine == quant else f"{mine} beside {quant}"
                found.append(
                    Comparison(model=size, quant=name, ours=ours, theirs=theirs, weight_bytes=sizes)
                )
        return found

    def weights_read(self, size: str, quant: str) -> int:
        """Bytes of weights that a decoding step of one stream reads."""
        path = self.checkpoint(size, quant)
        text = PUBLISHED_MODELS[size].text
        if path.is_dir():
            layers = self.options.layers or text.num_layers
            table = text.per_layer_vocab_size * text.per_layer_dim * layers * 2
            idle = 0
            if text.moe is not None:
                expert = 3 * text.hidden_size * text.moe.intermediate_size * 2
                idle = layers * (text.moe.num_experts - text.moe.top_k) * expert
            return model_bytes(path) - table - idle
        total = 0.0
        for name, place in open_gguf(path).tensors.items():
            share = 0.0 if name in TABLES else 1.0
            if "_exps.weight" in name and text.moe is not None:
                share = text.moe.top_k / text.moe.num_experts
            total += share * (place.stop - place.start)
        return int(total)


def _joined(before: Report, report: Report) -> Report:
    """Two passes of one side as one report."""
    joined = Report(
        side=report.side,
        version=report.version,
        threads=report.threads,
        settings=report.settings,
        missing=before.missing | report.missing,
    )
    for metric in dict.fromkeys((*before.figures, *report.figures)):
        parts = [one.figures[metric] for one in (before, report) if metric in one.figures]
        joined.add(metric, [x for part in parts for x in part.samples], parts[-1].note)
    return joined


def read_options() -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sizes", help=f"by commas: {', '.join(PUBLISHED_MODELS)}")
    parser.add_argument("--files", required=True, help="folder of the checkpoints")
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON")
    parser.add_argument("--only", default=",".join(GROUPS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn-rounds", type=int, default=1)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--conversation", type=int, default=CONVERSATION)
    parser.add_argument("--layers", type=int, help="only the last so many: a rehearsal")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--machine", default=short_name(), help="in the file's name: %(default)s")
    return parser.parse_args()


def main() -> None:
    """Measure, compare, write."""
    options = read_options()
    bench = Bench(options)
    head = describe_machine(options.threads) | {"command": shlex.join(sys.argv)}
    peers = [peer for peer in PEERS if getattr(options, peer)]
    sizes = options.sizes.split(",")
    for size in sizes:
        for _ in range(options.passes):
            for quant in dict.fromkeys(("q4_0", *(PEERS[peer][0] for peer in peers))):
                bench.measure(size, quant, "ours", sys.executable, "ours.py")
                for peer in peers:
                    its_quant, script = PEERS[peer]
                    if its_quant == quant:
                        bench.measure(size, quant, peer, getattr(options, peer), script)
        write_results(bench, head, sizes)  # what is known so far: the next size may take an hour
    if bench.failures:
        raise SystemExit("; ".join(bench.failures))


def write_results(bench: Bench, head: dict[str, Any], sizes: list[str]) -> None:
    """The table, its rows, and what each side said."""
    options = bench.options
    comparisons = [one for size in sizes for peer in PEERS for one in bench.compare(size, peer)]
    options.out.mkdir(parents=True, exist_ok=True)
    day, models = time.strftime("%Y-%m-%d"), "-".join(bench.name(size) for size in sizes)
    stem = options.out / f"{day}-{options.machine}-{models}"
    markdown = write_markdown(head, comparisons, bench.failures)
    stem.with_suffix(".md").write_text(markdown)
    stem.with_suffix(".json").write_text(json.dumps(as_json(comparisons), indent=1) + "\n")
    raw = [
        {"model": bench.name(size), "quant": quant} | asdict(report)
        for (size, quant, _), report in bench.reports.items()
    ]
    content = json.dumps({"head": head, "reports": raw}, indent=1)
    stem.with_name(f"{stem.name}-raw.json").write_text(content + "\n")
    print(markdown)


if __name__ == "__main__":
    main()
