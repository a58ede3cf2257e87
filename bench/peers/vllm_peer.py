"""vLLM's side of the comparison, its CPU build; runs in an environment of its own (bench/README.md).

    PEER/bin/python bench/peers/vllm_peer.py DIRECTORY [--only prefill,decode] [--threads 2]

DIRECTORY is a checkpoint in bfloat16. The engine has its own settings but for the context and the number
of streams; with `--eager 1` nothing is compiled. Requests are greedy and go through its scheduler. The
last line of the output is JSON.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from measurement import (
    ANSWER,
    CHAT,
    CHAT_CONTEXT,
    CHAT_STEPS,
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

KV_SPACE = "1"
"""GiB for keys and values: enough for 10,000 tokens of E2B, less than its own choice."""


class Side:
    """An engine; requests by number, and how many tokens each has."""

    def __init__(self, options: Namespace, *, context: int, streams: int = 1) -> None:
        from vllm import LLM  # after the environment is set

        self.llm = LLM(
            model=str(options.model),
            dtype="bfloat16",
            max_model_len=context,
            max_num_seqs=streams,
            enforce_eager=bool(options.eager),
        )
        self.engine: Any = self.llm.llm_engine
        self.made: dict[str, list[int]] = {}
        self.cached: dict[str, int] = {}
        self._numbers = count()

    def submit(self, ids: Sequence[int], max_tokens: int) -> str:
        """A greedy request that nothing stops."""
        from vllm import SamplingParams

        name = str(next(self._numbers))
        settings = SamplingParams(temperature=0.0, max_tokens=max_tokens, ignore_eos=True)
        self.engine.add_request(name, {"prompt_token_ids": list(ids)}, settings)
        self.made[name] = []
        return name

    def step(self) -> None:
        """One pass of its engine."""
        for output in self.engine.step():
            self.made[output.request_id] = list(output.outputs[0].token_ids)
            self.cached[output.request_id] = output.num_cached_tokens or 0

    def reach(self, names: Sequence[str], length: int) -> None:
        """Go on until each of these has so many tokens."""
        while any(len(self.made[name]) < length for name in names):
            self.step()

    def drop(self, names: Sequence[str]) -> None:
        """End requests that were measured."""
        self.engine.abort_request(list(names))
        while self.engine.has_unfinished_requests():
            self.step()


def measure_prefill(report: Report, side: Side, rounds: int) -> None:
    """A prompt of 512 tokens, never seen before."""
    samples = []
    for number in range(rounds + 1):
        name = side.submit(words(PROMPT, seed=100 + number), 1)
        samples.append(PROMPT / seconds(side.reach, [name], 1))
    report.add("prefill_512", samples[1:])


def measure_decode(report: Report, side: Side, rounds: int, streams: int = 1) -> None:
    """Streams together, behind two lengths of prompt."""
    steps = STEPS if streams == 1 else STEPS // 2
    metrics = {"decode_1": PROMPT, "decode_1_short": SHORT}
    if streams > 1:
        metrics = {"decode_8": SHORT, "decode_8_512": PROMPT}
    for metric, length in metrics.items():
        samples = []
        for number in range(rounds):
            seeds = range(200 + number * streams, 200 + (number + 1) * streams)
            names = [side.submit(words(length, seed=seed), steps + 32) for seed in seeds]
            side.reach(names, 2)
            before = sum(len(side.made[name]) for name in names)
            spent = seconds(_take_steps, side, steps)
            samples.append((sum(len(side.made[name]) for name in names) - before) / spent)
            side.drop(names)
        report.add(metric, samples)


def _take_steps(side: Side, steps: int) -> None:
    for _ in range(steps):
        side.step()


def measure_turns(report: Report, side: Side, rounds: int, length: int) -> None:
    """Time to first token of a long conversation's first turn, and of its second in two ways."""
    answer, question = words(ANSWER, seed=3), words(QUESTION, seed=4)
    first: list[float] = []
    for metric, thought in (("second_turn_ttft", 0), ("second_turn_ttft_thought", THOUGHT)):
        second: list[float] = []
        for number in range(rounds):
            prompt = words(length, seed=400 + 2 * number + (thought > 0))
            first.append(seconds(side.reach, [side.submit(prompt, 1)], 1))
            # The answer is read rather than written: what the cache then holds is what counts.
            middle = words(thought, seed=5) if thought else []
            side.reach([side.submit([*prompt, *middle, *answer], 1)], 1)
            follower = side.submit([*prompt, *answer, *question], 1)
            second.append(seconds(side.reach, [follower], 1))
        note = f"{length + ANSWER + QUESTION - side.cached[follower]} tokens read"
        report.add(metric, second, note)
        if thought:
            report.add("second_turn_ttft_reread", second, note)
    report.add("first_turn_ttft", first, f"{length} tokens read")


def chat(options: Namespace) -> None:
    """The child of `measure_start`: load, answer, tell."""
    side = Side(options, context=CHAT_CONTEXT)
    tokenizer: Any = side.llm.get_tokenizer()
    ids = tokenizer(f"<bos>{CHAT}", add_special_tokens=False)["input_ids"]
    name = side.submit(ids, CHAT_STEPS)
    side.reach([name], 1)
    tell_first_token()
    side.reach([name], CHAT_STEPS)
    tell_private_memory()


def main() -> None:
    """Measure what was asked for and print."""
    options = read_options(__doc__, ("--eager",))
    # Read when vLLM is imported.
    os.environ |= {
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, range(options.threads))),
        "VLLM_CPU_KVCACHE_SPACE": KV_SPACE,
        "VLLM_LOGGING_LEVEL": "WARNING",
    }
    if options.chat:
        chat(options)
        return
    report = Report(
        side="vLLM",
        version=f"vllm-cpu {version('vllm-cpu')}, torch {version('torch')}",
        threads=options.threads,
        settings={"dtype": "bfloat16", "compiled": not options.eager},
        missing=dict.fromkeys(("verify_4", "verify_5"), "its engine checks only its own drafters'"),
    )
    if "start" in options.only:
        extra = ("--eager", options.eager) if options.eager else ()
        measure_start(report, options.model, options.rounds, *extra)
    if set(options.only) - {"start", "verify"}:
        side = Side(options, context=options.conversation + 2048, streams=STREAMS)
        if "prefill" in options.only:
            measure_prefill(report, side, options.rounds)
        if "decode" in options.only:
            measure_decode(report, side, options.rounds)
        if "streams" in options.only:
            measure_decode(report, side, options.rounds, STREAMS)
        if "turns" in options.only:
            measure_turns(report, side, options.turn_rounds, options.conversation)
    report.print()


if __name__ == "__main__":
    main()
