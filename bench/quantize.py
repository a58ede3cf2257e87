"""`gemma4 quantize` beside llama.cpp: errors and speed of the encoders, and whether it runs our files.

    .venv/bin/python bench/quantize.py --peer PYTHON [--model FILE.gguf] [--goldens DIRECTORY]

PYTHON is the interpreter of an environment with llama.cpp in it; bench/README.md says how to make one.
Each quantized file is given to llama.cpp as it is and, since it rounds activations, with its weights
written out in float32 as well. The last line is JSON; `--goldens` stores what the tests compare with.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from agreement_llamacpp import Peer, figures_of, print_row, write_dequantized

from gemma4.cli import main as gemma4
from gemma4.hub.names import resolve
from gemma4.hub.store import Store, default_root
from gemma4.quant import FORMATS, dequantize
from gemma4.quant.encode import ENCODERS, encode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from peer_scores import DATA, TINY_TEXT, load_float32, scores_of  # noqa: E402
from tiny_gguf_full import MODELS, write_full_gguf  # noqa: E402

TINY_FORMATS = ("q8_0", "q4_0", "q4_k_m", "q6_k")
REAL_FORMATS = ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_1", "q4_0")
OLD = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")  # those that the gguf package can write


def compare_encoders(python: str, scratch: Path) -> dict[str, Any]:
    """Root mean square errors and millions of weights a second, one thread each."""
    rng = np.random.default_rng(0)
    kinds = {
        "normal": rng.standard_normal((512, 2048)),
        "heavy tails": rng.standard_t(5, (512, 2048)),
    }
    figures: dict[str, Any] = {}
    for kind, drawn in kinds.items():
        values = drawn.astype(np.float32)
        np.save(scratch / "values.npy", values)
        for name in ENCODERS:
            format = FORMATS[name]
            started = time.perf_counter()
            ours = encode(torch.from_numpy(values), format, name=name)
            seconds = time.perf_counter() - started
            command = [python, str(ROOT / "bench" / "quantize_peer.py"), str(format.ggml_id)]
            command += [
                str(format.row_bytes(2048)),
                str(scratch / "values.npy"),
                str(scratch / "q.npy"),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = {
                "rms": rms(dequantize(ours, format).numpy(), values),
                "rms_llamacpp": rms(dequantize(np.load(scratch / "q.npy"), format).numpy(), values),
                "speed": values.size / seconds / 1e6,
                "speed_llamacpp": values.size / float(done.stdout) / 1e6,
            }
            if name in OLD:
                type_id = gguf.GGMLQuantizationType[name]
                theirs = gguf.quants.dequantize(gguf.quants.quantize(values, type_id), type_id)
                row["rms_gguf"] = rms(theirs, values)
            figures[f"{name}, {kind}"] = row
            print(
                f"{name} {kind:12} rms {row['rms']:.6f}   llama.cpp {row['rms_llamacpp']:.6f} "
                f"({row['rms'] / row['rms_llamacpp'] - 1:+.1%})   M weights/s {row['speed']:.0f}, "
                f"llama.cpp {row['speed_llamacpp']:.0f}",
                flush=True,
            )
    return figures


def rms(found: np.ndarray, values: np.ndarray) -> float:
    """Root mean square difference, in float64."""
    return float(np.sqrt(np.mean((found.astype(np.float64) - values) ** 2)))


def quantize(source: Path, to: str, output: Path, *flags: str) -> Path:
    """Run the command."""
    words = [
        "quantize",
        str(source),
        "--to",
        to,
        "-o",
        str(output),
        "--force",
        "--no-compare",
        "-q",
    ]
    if gemma4([*words, *flags]):
        raise SystemExit(f"gemma4 quantize {source} --to {to} failed")
    return output


def compare_tiny(peer: Peer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures, and what the tests need, of all tiny models."""
    figures: dict[str, Any] = {}
    goldens: dict[str, Any] = {}
    for kind in MODELS:
        source = write_full_gguf(kind, peer.scratch / f"{kind}.gguf")
        for to in TINY_FORMATS:
            path = quantize(source, to, peer.scratch / "quantized.gguf")
            plain = write_dequantized(path, peer.scratch / "plain.gguf")
            ours = load_float32(path).logits(TINY_TEXT)
            exact = peer.logits("exact", plain, TINY_TEXT)
            rounded = peer.logits("rounded", path, TINY_TEXT)
            figures[f"{kind} {to}"] = {
                "float32": figures_of(ours, exact, TINY_TEXT),
                "rounded": figures_of(ours, rounded, TINY_TEXT),
            }
            print_row(f"{kind} {to}", "ours / float32 weights", figures[f"{kind} {to}"]["float32"])
            goldens[f"{kind} {to}"] = {
                "best_float32": scores_of(exact, TINY_TEXT).best.tolist(),
                "best_rounded": scores_of(rounded, TINY_TEXT).best.tolist(),
            }
    return figures, goldens


def compare_real(peer: Peer, model: Path, text: str) -> dict[str, Any]:
    """The real model expanded, quantized by us, run by both."""
    exact = quantize(model, "f32", peer.scratch / "exact.gguf")
    source = load_float32(exact)
    ids = [source.tokenizer.bos_id, *source.tokenizer.encode(text)][:512]
    reference = source.logits(ids)
    figures: dict[str, Any] = {}
    for to in REAL_FORMATS:
        path = quantize(exact, to, peer.scratch / "quantized.gguf")
        plain = write_dequantized(path, peer.scratch / "plain.gguf")
        ours = load_float32(path).logits(ids)
        figures[to] = {
            "source": figures_of(ours, reference, ids),
            "float32": figures_of(ours, peer.logits("exact", plain, ids), ids),
            "rounded": figures_of(ours, peer.logits("rounded", path, ids), ids),
            "bytes": path.stat().st_size,
        }
        print_row(to, "ours / the source", figures[to]["source"])
        print_row(to, "ours / float32 weights", figures[to]["float32"])
        print_row(to, "ours / the file as it is", figures[to]["rounded"])
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", required=True, help="interpreter that has xllamacpp and numpy")
    parser.add_argument("--model", default="gemma3:270m", help="a name or a .gguf file")
    parser.add_argument("--text", type=Path, default=DATA / "prose.txt")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--goldens", type=Path, help="directory to store goldens in")
    options = parser.parse_args()
    model = resolve(options.model, Store(default_root()))
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(options.peer, Path(folder), options.threads)
        encoders = compare_encoders(options.peer, Path(folder))
        tiny_figures, tiny = compare_tiny(peer)
        real = compare_real(peer, model, options.text.read_text(encoding="utf-8"))
        version = peer.ask(model, text="")["version"]
    if options.goldens is not None:
        head = {"peer": version, "command": "bench/quantize.py --goldens tests/data/agreement"}
        lines = [f'"{name}": {json.dumps(entry)}' for name, entry in (head | tiny).items()]
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        (options.goldens / "quantized.json").write_text(text, encoding="utf-8")
    print(json.dumps({"peer": version, "encoders": encoders, "tiny": tiny_figures, "real": real}))


if __name__ == "__main__":
    main()
