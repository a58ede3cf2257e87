"""transformers' side of the comparison; runs in an environment of its own (bench/README.md).

    PEER/bin/python bench/peers/transformers_peer.py DIRECTORY [--only prefill,decode] [--threads 2]

DIRECTORY is a checkpoint in bfloat16. The model runs as `from_pretrained` gives it, with its own
attention and its default cache; decoding is handed its next tokens and pays for no sampling. The last
line of the output is JSON.
"""

import copy
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))

from measurement import (
    ANSWER,
    CHAT,
    CHAT_STEPS,
    DRAFTED,
    PROMPT,
    QUESTION,
    SHORT,
    STEPS,
    STREAMS,
    THOUGHT,
    Report,
    measure_start,
    read_options,
    seconds,
    tell_first_token,
    tell_private_memory,
    words,
)


class Side:
    """A model and the cache of one batch."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.cache: Any = None
        self.logits = torch.empty(0)

    def read(self, ids: Sequence[int], streams: int = 1, logits: int = 1) -> None:
        """One pass over ids behind what the cache holds; logits of the last so many."""
        rows = torch.tensor([list(ids)] * streams)
        output = self.model(
            input_ids=rows, past_key_values=self.cache, use_cache=True, logits_to_keep=logits
        )
        self.cache, self.logits = output.past_key_values, output.logits

    def write(self, ids: Sequence[int], streams: int = 1) -> None:
        """Tokens one at a time, in every stream."""
        for token in ids:
            self.read([token], streams)


def measure_prefill(report: Report, model: Any, rounds: int) -> None:
    """A prompt of 512 tokens into an empty cache."""
    Side(model).read(words(PROMPT))  # not counted
    samples = [PROMPT / seconds(Side(model).read, words(PROMPT)) for _ in range(rounds)]
    report.add("prefill_512", samples)


def measure_decode(report: Report, model: Any, rounds: int, streams: int = 1) -> None:
    """Streams together, behind two lengths of prompt."""
    steps = words(STEPS if streams == 1 else STEPS // 2, seed=1)
    metrics = {"decode_1": PROMPT, "decode_1_short": SHORT}
    if streams > 1:
        metrics = {"decode_8": SHORT, "decode_8_512": PROMPT}
    for metric, length in metrics.items():
        side = Side(model)
        side.read(words(length), streams)
        held = copy.deepcopy(side.cache)
        side.write(steps[:2], streams)  # not counted
        samples = []
        for _ in range(rounds):
            side.cache = copy.deepcopy(held)
            samples.append(len(steps) * streams / seconds(side.write, steps, streams))
        report.add(metric, samples)


def measure_verify(report: Report, model: Any, rounds: int) -> None:
    """Passes over several tokens, all with logits, beside passes over one."""
    side, ids = Side(model), words(max(DRAFTED), seed=2)
    side.read(words(PROMPT))
    held = copy.deepcopy(side.cache)

    def passes(count: int) -> float:
        spent = 0.0
        for _ in range(4):
            side.cache = copy.deepcopy(held)
            spent += seconds(side.read, ids[:count], 1, count)
        return spent

    for count in (1, *DRAFTED):
        passes(count)  # not counted
    for count in DRAFTED:
        samples = []
        for _ in range(rounds):
            one = passes(1)
            samples.append(passes(count) / one)
        report.add(f"verify_{count}", samples)


def measure_turns(report: Report, model: Any, rounds: int, length: int) -> None:
    """Time to first token of a long conversation's first turn and of its second.

    Its cache of sliding layers holds the last window and cannot go back, so a second prompt that leaves
    out a thought is read from the start.
    """
    prompt, answer, question = words(length), words(ANSWER, seed=3), words(QUESTION, seed=4)
    first: list[float] = []
    kept: list[float] = []
    again: list[float] = []
    for _ in range(rounds):
        side = Side(model)
        first.append(seconds(side.read, prompt))
        side.read(answer)
        kept.append(seconds(side.read, question))
        again.append(seconds(Side(model).read, [*prompt, *answer, *question]))
    report.add("first_turn_ttft", first, f"{length} tokens read")
    report.add("second_turn_ttft", kept, f"{QUESTION} tokens read")
    whole = f"{length + ANSWER + QUESTION} tokens read"
    report.add("second_turn_ttft_thought", again, f"{whole}; the thought had {THOUGHT}")
    report.add("second_turn_ttft_reread", again, whole)


def load(path: Path) -> Any:
    """A model as `from_pretrained` gives it, in bfloat16."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)
    return model.eval().requires_grad_(False)


def chat(options: Namespace) -> None:
    """The child of `measure_start`: load, answer, tell."""
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    side = Side(load(options.model))
    side.read(tokenizer(f"<bos>{CHAT}", add_special_tokens=False)["input_ids"])
    token = int(side.logits[0, -1].argmax())
    tell_first_token()
    for _ in range(CHAT_STEPS):
        side.read([token])
        token = int(side.logits[0, -1].argmax())
    tell_private_memory()


@torch.inference_mode()
def main() -> None:
    """Measure what was asked for and print."""
    options = read_options(__doc__)
    torch.set_num_threads(options.threads)
    transformers.utils.logging.disable_progress_bar()
    if options.chat:
        chat(options)
        return
    report = Report(
        side="transformers",
        version=f"transformers {transformers.__version__}, torch {torch.__version__}",
        threads=options.threads,
    )
    if "start" in options.only:
        measure_start(report, options.model, options.rounds)
    model = load(options.model)
    report.settings = {"dtype": "bfloat16", "attention": model.config._attn_implementation}
    if "prefill" in options.only:
        measure_prefill(report, model, options.rounds)
    if "decode" in options.only:
        measure_decode(report, model, options.rounds)
    if "streams" in options.only:
        measure_decode(report, model, options.rounds, STREAMS)
    if "verify" in options.only:
        measure_verify(report, model, options.rounds)
    if "turns" in options.only:
        measure_turns(report, model, options.turn_rounds, options.conversation)
    report.print()


if __name__ == "__main__":
    main()
