"""Our side of the comparison: `gemma4.load`, and the engine that serves it.

    .venv/bin/python bench/ours.py MODEL [--only prefill,decode] [--threads 2] [--rounds 5]

Every pass goes through the engine as a request's would, sampling and scheduling included. Prompts differ
from round to round where reading them is what is measured, so that no prefix is found in the cache.
The passes are timed by the code of `gemma4 bench`. The last line of the output is JSON.
"""

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from measurement import (
    ANSWER,
    CHAT_CONTEXT,
    CHAT_STEPS,
    DRAFTED,
    FIRST_WORD,
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

import gemma4
from gemma4.llm.benchmark import Driver

QUESTION_TEXT = "Why is the sky blue?"


def open_llm(model: Path, *, threads: int, **options: Any) -> gemma4.LLM:
    """A model as `gemma4.load` gives it, on as many threads as the peers have.

    Raises:
        SystemExit: other threads compute than were asked for.
    """
    llm = gemma4.load(model, device="cpu", threads=threads, **options)
    if llm.info.threads != threads:
        raise SystemExit(f"{llm.info.threads} threads compute and {threads} were asked for")
    return llm


def open_driver(model: Path, *, threads: int, context: int, streams: int = 1) -> Driver:
    """A model that guesses nothing; `context`: tokens of each stream."""
    llm = open_llm(model, threads=threads, context=context, max_requests=streams, drafter=None)
    return Driver(engine=llm.streams.engine)


def measure_prefill(report: Report, model: Path, rounds: int) -> None:
    """A prompt of 512 tokens, never seen before."""
    driver, samples = open_driver(model, threads=report.threads, context=1024), []
    for number in range(rounds + 1):
        timed = driver.time_first_token(words(PROMPT, seed=100 + number))
        samples.append(timed.num_tokens / timed.seconds)
    report.add("prefill_512", samples[1:])


def measure_decode(report: Report, model: Path, rounds: int, streams: int = 1) -> None:
    """Streams together, behind two lengths of prompt."""
    driver = open_driver(model, threads=report.threads, context=1024, streams=streams)
    steps = STEPS if streams == 1 else STEPS // 2
    metrics = {"decode_1": PROMPT, "decode_1_short": SHORT}
    if streams > 1:
        metrics = {"decode_8": SHORT, "decode_8_512": PROMPT}
    for metric, length in metrics.items():
        prompts = [words(length, seed=200 + number) for number in range(streams)]
        timed = [driver.time_steps(prompts, steps) for _ in range(rounds)]
        report.add(metric, [one.num_tokens / one.seconds for one in timed])


def measure_verify(report: Report, model: Path, rounds: int) -> None:
    """Steps that check drafts beside steps without."""
    driver, passes = open_driver(model, threads=report.threads, context=1024), 8
    prompt = words(PROMPT, seed=300)
    for count in DRAFTED:
        drafts = range(FIRST_WORD, FIRST_WORD + count)
        timed = [driver.time_checks(prompt, count, passes, drafts) for _ in range(rounds + 1)]
        ratios = [one.seconds / one.step_seconds for one in timed if one.step_seconds]
        report.add(f"verify_{count}", ratios[1:])


def measure_turns(report: Report, model: Path, rounds: int, length: int) -> None:
    """Time to first token of a long conversation's first turn, and of its second in two ways."""
    driver, question = (
        open_driver(model, threads=report.threads, context=length + 2048),
        words(QUESTION, seed=4),
    )
    first: list[float] = []
    for metric, thought in (("second_turn_ttft", 0), ("second_turn_ttft_thought", THOUGHT)):
        second: list[float] = []
        for number in range(rounds):
            prompt = words(length, seed=400 + 2 * number + (thought > 0))
            request = driver.submit(prompt, thought + ANSWER)
            first.append(seconds(driver.read, [request]))
            driver.finish()
            answer = request.ids[-ANSWER:]
            follower = driver.submit([*prompt, *answer, *question], 1)
            second.append(seconds(driver.read, [follower]))
            driver.finish()
        read = length + ANSWER + QUESTION - follower.cached_tokens
        report.add(metric, second, f"{read} tokens read")
        if thought:  # nothing else is done where a peer keeps no copy of the window
            report.add("second_turn_ttft_reread", second, f"{read} tokens read")
    report.add("first_turn_ttft", first, f"{length} tokens read")


def chat(options: Namespace) -> None:
    """The child of `measure_start`: load, answer, tell."""
    llm = open_llm(options.model, threads=options.threads, context=CHAT_CONTEXT)
    events = llm.stream(QUESTION_TEXT, temperature=0.0, max_tokens=CHAT_STEPS)
    next(events)
    tell_first_token()
    for _ in events:
        pass
    tell_private_memory()


def describe(model: Path, threads: int) -> dict[str, object]:
    """How it is loaded."""
    info = open_llm(model, threads=threads, context=CHAT_CONTEXT).info
    return {"dtype": info.dtype, "kv_dtype": info.kv_dtype, "notes": info.notes}


def main() -> None:
    """Measure what was asked for and print."""
    options = read_options(__doc__)
    if options.chat:
        chat(options)
        return
    report = Report(
        side="gemma4",
        version=f"gemma4 {gemma4.__version__}, torch {torch.__version__}",
        threads=options.threads,
    )
    if "start" in options.only:
        measure_start(report, options.model, options.rounds)
    model, rounds = options.model, options.rounds
    report.settings = describe(model, options.threads)
    if "prefill" in options.only:
        measure_prefill(report, model, rounds)
    if "decode" in options.only:
        measure_decode(report, model, rounds)
    if "streams" in options.only:
        measure_decode(report, model, rounds, STREAMS)
    if "verify" in options.only:
        measure_verify(report, model, rounds)
    if "turns" in options.only:
        measure_turns(report, model, options.turn_rounds, options.conversation)
    report.print()


if __name__ == "__main__":
    main()
