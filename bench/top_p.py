"""Top-p without top-k over a whole vocabulary: only what may be kept is sorted, beside sorting all.

    .venv/bin/python bench/top_p.py [--rounds 20]

Milliseconds of processor time a token, one thread, the median; both sides take turns. Scores are random:
`peaked` has a few likely tokens above a long tail, as a trained model gives them; `flat` is the worst case.
The kept sets must be equal. The last line is JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from gemma4.ops.sampling import candidates

VOCABULARY = 262_144
TOP_P = 0.95


def by_sorting(logits: Tensor) -> Tensor:
    """The kept ids, all tokens sorted by torch."""
    values, ids = logits.sort(descending=True, stable=True)
    probabilities = torch.softmax(values, dim=0, dtype=torch.float64).float()
    before = probabilities.cumsum(0, dtype=torch.float64) - probabilities
    return ids[before < TOP_P]


def by_selecting(logits: Tensor) -> Tensor:
    """The same as the sampler finds them."""
    return candidates(logits, temperature=1.0, top_k=0, top_p=TOP_P, min_p=0.0)[0]


def milliseconds(function: Callable[[Tensor], Tensor], logits: Tensor) -> float:
    """Processor time of one call."""
    started = time.process_time()
    function(logits)
    return (time.process_time() - started) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cases = {"peaked": torch.randn(VOCABULARY), "flat": torch.randn(VOCABULARY)}
    cases["peaked"][:100] += torch.linspace(18, 10, 100)
    rows = {}
    for name, logits in cases.items():
        kept, wanted = by_selecting(logits), by_sorting(logits)
        shared = len(set(kept.tolist()) & set(wanted.tolist()))
        if max(len(kept), len(wanted)) - shared > len(kept) // 10_000:  # borders, in rounding
            raise SystemExit(f"{name}: {len(kept)} tokens kept, {len(wanted)} by sorting")
        pairs = [
            (milliseconds(by_selecting, logits), milliseconds(by_sorting, logits))
            for _ in range(rounds)
        ]
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        rows[name] = {"kept": len(kept), "selecting_ms": ours, "sorting_ms": theirs}
        print(f"{name:8} {len(kept):7} kept   selecting {ours:6.2f} ms   sorting {theirs:6.2f} ms")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
