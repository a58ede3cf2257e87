"""What every side of the comparison measures, and how it tells: standard library only.

The peers run in environments of their own, so this file imports nothing that they may lack. All sides
read the same ids: random words of the vocabulary, since a random model's answer means nothing and its
next token is given rather than sampled.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ParamSpec

Arguments = ParamSpec("Arguments")

PROMPT, SHORT = 512, 128
"""Tokens in front of what is measured."""

STEPS = 32
"""Tokens decoded in one round, for each stream."""

STREAMS = 8
DRAFTED = (4, 5)
"""Tokens of a verifying pass."""

CONVERSATION, ANSWER, QUESTION = 8000, 32, 32
"""Tokens of a conversation's first prompt, its answer, and what the second turn adds to both."""

THOUGHT = 1200
"""Tokens of a first answer that the second prompt leaves out, as Gemma's template leaves out thoughts:
more than a window, so that sliding layers no longer hold what the second prompt wants."""

CHAT = "<|turn>user\nWhy is the sky blue?<turn|>\n<|turn>model\n"
"""A short chat as text, without `<bos>`."""

CHAT_CONTEXT, CHAT_STEPS = 4096, 32

FIRST_WORD, LAST_WORD = 1000, 200_000
"""Ids that are plain words in Gemma's vocabulary: no bytes, no control tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One figure: its unit, whether more is better, and what it says."""

    unit: str
    more_is_better: bool
    meaning: str


METRICS = {
    "prefill_512": Metric(unit="tok/s", more_is_better=True, meaning="prompt of 512 tokens"),
    "decode_1": Metric(unit="tok/s", more_is_better=True, meaning="one stream behind 512 tokens"),
    "decode_1_short": Metric(
        unit="tok/s", more_is_better=True, meaning="one stream behind 128 tokens"
    ),
    "decode_8": Metric(
        unit="tok/s", more_is_better=True, meaning="eight streams behind 128 tokens each, together"
    ),
    "decode_8_512": Metric(
        unit="tok/s", more_is_better=True, meaning="eight streams behind 512 tokens each, together"
    ),
    "verify_4": Metric(
        unit="steps", more_is_better=False, meaning="a pass over 4 tokens, all logits, in steps"
    ),
    "verify_5": Metric(
        unit="steps", more_is_better=False, meaning="a pass over 5 tokens, all logits, in steps"
    ),
    "first_turn_ttft": Metric(
        unit="s", more_is_better=False, meaning="first turn of 8,000 tokens to its first token"
    ),
    "second_turn_ttft": Metric(
        unit="s", more_is_better=False, meaning="second turn, everything before it kept"
    ),
    "second_turn_ttft_thought": Metric(
        unit="s", more_is_better=False, meaning="second turn, a thought of 1,200 tokens left out"
    ),
    "second_turn_ttft_reread": Metric(
        unit="s", more_is_better=False, meaning="the same where no copy of the window is kept"
    ),
    "private_memory": Metric(
        unit="MiB", more_is_better=False, meaning="anonymous memory after a chat, context 4,096"
    ),
    "first_token": Metric(
        unit="s", more_is_better=False, meaning="process start to first token, file in page cache"
    ),
}

GROUPS = {
    "start": ("first_token", "private_memory"),
    "prefill": ("prefill_512",),
    "decode": ("decode_1", "decode_1_short"),
    "streams": ("decode_8", "decode_8_512"),
    "verify": ("verify_4", "verify_5"),
    "turns": (
        "first_turn_ttft",
        "second_turn_ttft",
        "second_turn_ttft_thought",
        "second_turn_ttft_reread",
    ),
}
"""What is measured together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """The median of some samples, in the metric's unit; `note` says what a reader must know."""

    value: float
    samples: tuple[float, ...]
    note: str = ""


@dataclass(kw_only=True, slots=True)
class Report:
    """One side's answer.

    Attributes:
        side: who measured; `version` and `settings` say with what.
        figures: metric → figure.
        missing: metric → why it was not measured.
    """

    side: str
    version: str
    threads: int
    settings: dict[str, object] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, metric: str, samples: Sequence[float], note: str = "") -> None:
        """Keep a metric's samples."""
        value = statistics.median(samples)
        self.figures[metric] = Figure(value=value, samples=tuple(samples), note=note)
        unit = METRICS[metric].unit
        print(f"{self.side:14} {metric:26} {value:10.3f} {unit}  {note}", file=sys.stderr)

    def print(self) -> None:
        """Write the whole as the last line of the output."""
        print(json.dumps(asdict(self)))


def read_options(doc: str | None, extra: Sequence[str] = ()) -> argparse.Namespace:
    """The options that every side takes, and flags named in `extra`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path, help="a .gguf file or a checkpoint's directory")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn-rounds", type=int, default=1, help="of the long conversation")
    parser.add_argument("--conversation", type=int, default=CONVERSATION)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, by commas: %(default)s")
    parser.add_argument("--chat", action="store_true", help=argparse.SUPPRESS)
    for flag in extra:
        parser.add_argument(flag)
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(GROUPS):
        parser.error(f"no group {sorted(unknown)}; there are {', '.join(GROUPS)}")
    return options


def words(count: int, seed: int = 0) -> list[int]:
    """`<bos>` and random words: so many ids, the same on every side."""
    draw = random.Random(seed)
    return [2, *(draw.randrange(FIRST_WORD, LAST_WORD) for _ in range(count - 1))]


def seconds(
    action: Callable[Arguments, object], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    action(*args, **kwargs)
    return time.perf_counter() - started


def private_mib() -> float:
    """Anonymous memory of this process and its children in MiB: what the files cannot give back."""
    return sum(_anonymous_kib(process) for process in _family("self")) / 1024


def _anonymous_kib(process: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return int(status["RssAnon"].split()[0])


def _family(process: str) -> Iterator[str]:
    yield process
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(child)


def model_bytes(model: Path) -> int:
    """Bytes of a checkpoint's weights."""
    return sum(path.stat().st_size for path in _weight_files(model))


def fill_page_cache(model: Path) -> None:
    """Read the weights once, so that starting reads no disk."""
    for path in _weight_files(model):
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass


def _weight_files(model: Path) -> Iterator[Path]:
    if model.is_file():
        yield model
        return
    yield from sorted(model.glob("*.safetensors"))


def measure_start(report: Report, model: Path, rounds: int, *extra: str) -> None:
    """Start this script again for a short chat: seconds to its first token, its private memory.

    The child calls `tell_first_token` and, when the chat is over, `tell_private_memory`.
    """
    fill_page_cache(model)
    command = [sys.executable, sys.argv[0], str(model), "--threads", str(report.threads), "--chat"]
    waits: list[float] = []
    sizes: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        child = subprocess.Popen([*command, *extra], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("first token"):
                waits.append(time.perf_counter() - started)
            elif line.startswith("private MiB"):
                sizes.append(float(line.split()[2]))
        if child.wait():
            raise SystemExit(f"{report.side}'s chat ended with status {child.returncode}")
    report.add("first_token", waits)
    report.add("private_memory", sizes)


def tell_first_token() -> None:
    """The child of `measure_start` has its first token."""
    print("first token", flush=True)


def tell_private_memory() -> None:
    """The child of `measure_start` has ended its chat."""
    print(f"private MiB {private_mib():.1f}", flush=True)
