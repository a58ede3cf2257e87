"""Our logits beside llama.cpp's: tiny random Gemma 4 files and their towers, Gemma 3 270M on prose.

    .venv/bin/python bench/agreement_llamacpp.py --peer PYTHON [--model FILE.gguf] [--goldens DIRECTORY]

PYTHON is the interpreter of an environment with llama.cpp in it; bench/README.md says how to make one.
llama.cpp rounds activations to 8 bits before it multiplies them with quantized weights, and we do not.
To tell that from a difference in the weights, each quantized file is also given to llama.cpp with its
weights written out in float32. The last line is JSON; `--goldens` stores what the tests compare with.

Letters: T tokens, V vocab.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from gemma4.hub.names import resolve
from gemma4.hub.store import Store, default_root

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from peer_media import (  # noqa: E402
    HEARING,
    SEEING,
    load_with_projector,
    picture,
    prepared_picture,
    prepared_speech,
    relative_distance,
    soft_tokens,
    speech,
    with_llama_cpps_floor,
)
from peer_scores import (  # noqa: E402
    DATA,
    QUANTIZED,
    STEPS,
    TINY_PROMPT,
    TINY_TEXT,
    Scores,
    agreement,
    digest_of,
    greedy_ids,
    load_float32,
    scores_of,
)
from tiny_gguf import write_gguf, write_mmproj  # noqa: E402
from tiny_gguf_full import CARRIER, MODELS, write_full_gguf, write_model  # noqa: E402

AS_PEOPLE_RUN_IT = {"kv": "f16", "flash": True}


@dataclass(frozen=True)
class Peer:
    """llama.cpp in another process."""

    python: str
    scratch: Path
    threads: int

    def ask(self, model: Path, **request: Any) -> dict[str, Any]:
        """One request of llamacpp_peer.py."""
        request |= {"model": str(model), "threads": self.threads}
        command = [self.python, str(ROOT / "bench" / "llamacpp_peer.py")]
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(
                f"llama.cpp failed with status {done.returncode}:\n{done.stderr[-2000:]}"
            )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def logits(self, name: str, model: Path, ids: Sequence[int], **settings: Any) -> torch.Tensor:
        """Logits [T, V]; they stay on disk under `name` until touched."""
        path = self.scratch / f"{name}.npy"
        self.ask(model, ids=list(ids), logits=str(path), **settings)
        return torch.from_numpy(np.load(path, mmap_mode="c"))

    def greedy(self, model: Path, ids: Sequence[int], steps: int) -> tuple[list[int], float]:
        """The ids behind a prompt, and the least lead that one of them had over the second."""
        path = self.scratch / "greedy.npy"
        found = self.ask(model, ids=list(ids), generate=steps, logits=str(path))["ids"]
        top = np.sort(np.load(path), axis=-1)[:, -2:]
        return found[len(ids) :], float((top[:, 1] - top[:, 0]).min())


def write_dequantized(source: Path, target: Path) -> Path:
    """Copy a GGUF file with every tensor in float32, decoded by the gguf package."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        inner = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def compare_tiny(peer: Peer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures, and what the tests need, of all tiny models."""
    figures: dict[str, Any] = {}
    goldens: dict[str, Any] = {}
    for kind in MODELS:
        path = write_full_gguf(kind, peer.scratch / f"{kind}.gguf")
        theirs, lead = peer.greedy(path, TINY_PROMPT, STEPS)
        equal = greedy_ids(load_float32(path), TINY_PROMPT, STEPS) == theirs
        figures[f"{kind} F32"] = {"greedy_equal": equal, "steps": STEPS, "least_lead": lead}
        loss = scores_of(peer.logits("exact", path, TINY_TEXT), TINY_TEXT).loss
        goldens[f"{kind} F32"] = {
            "sha256": digest_of(path),
            "greedy": theirs,
            "loss_float32": loss.round(4).astype(float).tolist(),
        }
        print(f"{kind:9} F32   {STEPS} greedy tokens equal: {equal}   least lead {lead:.4f}")
        for encoding in QUANTIZED:
            name = f"{kind} {encoding}"
            path = write_full_gguf(kind, peer.scratch / "quantized.gguf", encoding)
            plain = write_dequantized(path, peer.scratch / "plain.gguf")
            ours = load_float32(path).logits(TINY_TEXT)
            rounded = peer.logits("rounded", path, TINY_TEXT)
            exact = peer.logits("exact", plain, TINY_TEXT)
            figures[name] = report(name, ours, rounded, exact, TINY_TEXT)
            goldens[name] = {
                "sha256": digest_of(path),
                "best_rounded": scores_of(rounded, TINY_TEXT).best.tolist(),
                "best_float32": scores_of(exact, TINY_TEXT).best.tolist(),
                "loss_float32": scores_of(exact, TINY_TEXT).loss.round(4).astype(float).tolist(),
            }
    return figures, goldens


def compare_media(peer: Peer) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Distances of soft tokens, and llama.cpp's own for the tests."""
    carrier = write_model(CARRIER, peer.scratch / "carrier.gguf")
    heard, seen, out = (peer.scratch / f"{name}.npy" for name in ("sound", "picture", "soft"))
    np.save(heard, speech())
    np.save(seen, picture())
    figures, goldens = {}, {}

    def theirs(projector: Path, medium: Path) -> np.ndarray:
        peer.ask(carrier, mmproj=str(projector), medium=str(medium), soft_tokens=str(out))
        return np.load(out)

    for kind in SEEING:
        folder = peer.scratch / kind
        folder.mkdir()
        write_gguf(kind, folder / "model.gguf")
        model = load_with_projector(write_mmproj(kind, folder / "mmproj.gguf").parent)
        ours = soft_tokens(model, prepared_picture(kind))
        figures[f"{kind} picture"] = relative_distance(ours, theirs(folder / "mmproj.gguf", seen))
        gelu = write_mmproj(kind, peer.scratch / "gelu.gguf", says_gelu=True)
        goldens[f"{kind}_picture"] = theirs(gelu, seen).astype(np.float16)
        figures[f"{kind} picture, GELU"] = relative_distance(ours, theirs(gelu, seen))
        if kind in HEARING:
            sound, found = prepared_speech(kind), theirs(gelu, heard)
            goldens[f"{kind}_sound"] = found.astype(np.float16)
            figures[f"{kind} sound"] = relative_distance(soft_tokens(model, sound), found)
            if kind != "unified":
                ours = soft_tokens(model, with_llama_cpps_floor(sound))
                figures[f"{kind} sound, its floor"] = relative_distance(ours, found)
    for name, distance in figures.items():
        print(f"{name:26} distance {distance:.1e}")
    return figures, goldens


def compare_real(peer: Peer, model: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for a real model on real prose; goldens are arrays."""
    llm = load_float32(model)
    ids = [llm.tokenizer.bos_id, *llm.tokenizer.encode(text)]
    theirs = peer.ask(model, text=text)["ids"]
    print(f"{model.name}: {len(ids)} ids, equal to llama.cpp's: {ids == theirs}")
    if ids != theirs:
        raise SystemExit("the two sides read the text as different ids; logits cannot be compared")
    plain = write_dequantized(model, peer.scratch / "plain.gguf")
    ours = llm.logits(ids)
    default = peer.logits("default", model, ids, **AS_PEOPLE_RUN_IT)
    rounded = peer.logits("rounded", model, ids)
    exact = peer.logits("exact", plain, ids)
    figures = {
        "ids": len(ids),
        **report("270M Q4_K_M", ours, rounded, exact, ids),
        "default": figures_of(ours, default, ids),
    }
    print_row("270M Q4_K_M", "ours / as people run it", figures["default"])
    goldens = {"ids": np.array(ids, dtype=np.int32)}
    for name, logits in (("default", default), ("rounded", rounded), ("float32", exact)):
        scores = scores_of(logits, ids)
        goldens[f"best_{name}"] = scores.best.astype(np.int32)
        goldens[f"loss_{name}"] = scores.loss.astype(np.float32)
    return figures, goldens


def report(
    name: str, ours: torch.Tensor, rounded: torch.Tensor, exact: torch.Tensor, ids: Sequence[int]
) -> dict[str, Any]:
    """Compare and print: with both of llama.cpp's ways, and these with each other."""
    figures = {
        "float32": figures_of(ours, exact, ids),
        "rounded": figures_of(ours, rounded, ids),
        "llamacpp_itself": figures_of(exact, rounded, ids),
    }
    print_row(name, "ours / float32 weights", figures["float32"])
    print_row(name, "ours / the file as it is", figures["rounded"])
    print_row(name, "llama.cpp's own two", figures["llamacpp_itself"])
    return figures


def print_row(name: str, sides: str, row: dict[str, float]) -> None:
    """One line of the table."""
    print(
        f"{name:14} {sides:24} top-1 {row['top1']:8.3%}   perplexity {row['perplexity']:9.4f} "
        f"({row['perplexity_ratio'] - 1:+.4%})   mean KL {row['mean_kl']:.1e}",
        flush=True,
    )


def figures_of(ours: torch.Tensor, theirs: torch.Tensor, ids: Sequence[int]) -> dict[str, float]:
    """Top-1, perplexities, and KL divergence of ours from theirs in nats."""
    mine: Scores = scores_of(ours, ids)
    other = scores_of(theirs, ids)
    divergences = []
    for rows, wanted in zip(ours.split(64), theirs.split(64), strict=True):
        found, target = rows.double().log_softmax(-1), wanted.double().log_softmax(-1)
        divergences.append((target.exp() * (target - found)).sum(-1))
    return {
        "top1": agreement(mine, other),
        "perplexity": mine.perplexity,
        "perplexity_ratio": mine.perplexity / other.perplexity,
        "mean_kl": float(torch.cat(divergences).mean()),
        "largest_loss_difference": float(np.abs(mine.loss - other.loss).max()),
    }


def store_goldens(
    directory: Path, result: dict[str, Any], tiny: dict[str, Any], real: dict[str, Any]
) -> None:
    """Write what the tests compare with."""
    head = {key: result[key] for key in ("peer", "command")}
    lines = [f'"{name}": {json.dumps(entry)}' for name, entry in (head | tiny).items()]
    (directory / "tiny.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    np.savez_compressed(directory / "gemma3-270m.npz", **real)
    facts = head | {"sha256": result["sha256"], "figures": result["real"]}
    text = json.dumps(facts, indent=2) + "\n"
    (directory / "gemma3-270m.json").write_text(text, encoding="utf-8")


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
        tiny_figures, tiny = compare_tiny(peer)
        media_figures, media = compare_media(peer)
        real_figures, real = compare_real(peer, model, options.text.read_text(encoding="utf-8"))
        version = peer.ask(model, text="")["version"]
    result = {
        "peer": version,
        "command": "bench/agreement_llamacpp.py --goldens tests/data/agreement",
        "model": model.name,
        "sha256": digest_of(model),
        "torch": torch.__version__,
        "threads": options.threads,
        "tiny": tiny_figures,
        "media": media_figures,
        "real": real_figures,
    }
    if options.goldens is not None:
        store_goldens(options.goldens, result, tiny, real)
        np.savez_compressed(options.goldens / "media.npz", **media)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
