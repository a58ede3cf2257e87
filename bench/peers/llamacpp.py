"""llama.cpp's side of the comparison; runs in an environment of its own (bench/README.md).

    PEER/bin/python bench/peers/llamacpp.py FILE.gguf [--only prefill,decode] [--threads 2] [--rounds 5]

It calls llama.cpp's C functions through llama-cpp-python, with the settings that `llama-server` has
unless told otherwise: repacked weights, half-precision cache, flash attention as llama.cpp chooses,
a sliding cache of window + batch, logits for those tokens alone that want them. Decoding is handed its
next tokens, as `llama-bench` does it, and pays for no sampling. The last line of the output is JSON.
"""

import ctypes
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_cpp

sys.path.insert(0, str(Path(__file__).parents[1]))

from measurement import (
    ANSWER,
    CHAT,
    CHAT_CONTEXT,
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

NOTED = ("Flash Attention", "flash_attn", "n_ubatch", "CPU_REPACK", "KV buffer", "type_k")
"""Lines of llama.cpp's log that go into the report."""

ERROR = 3
"""A level of llama.cpp's log."""

BATCH = 2048
TAIL = 4
"""Tokens of a prompt that llama-server reads after it has copied the sliding layers."""


@dataclass(frozen=True, slots=True)
class Row:
    """A token of a batch."""

    token: int
    position: int
    stream: int = 0
    wants_logits: bool = False


class Context:
    """A context of llama.cpp and a batch to fill. Positions are the caller's business."""

    def __init__(
        self, model: Any, length: int, threads: int, *, streams: int = 1, outputs: int = 1
    ) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch = length * streams, BATCH
        params.n_seq_max = streams
        params.n_outputs_max, params.n_outputs_max_per_seq = outputs * streams, outputs
        params.n_threads = params.n_threads_batch = threads
        params.swa_full = False
        self.raw = llama_cpp.llama_init_from_model(model, params)
        if not self.raw:
            raise SystemExit(f"llama.cpp cannot make a context of {length} × {streams} tokens")
        self.memory = llama_cpp.llama_get_memory(self.raw)
        self.batch = llama_cpp.llama_batch_init(BATCH, 0, 1)

    def close(self) -> None:
        """Give its memory back."""
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.raw)

    def decode(self, rows: Sequence[Row]) -> None:
        """One call of llama_decode, and its logits ready."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for index, row in enumerate(rows):
            batch.token[index], batch.pos[index] = row.token, row.position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, row.stream
            batch.logits[index] = row.wants_logits
        if status := llama_cpp.llama_decode(self.raw, batch):
            raise SystemExit(f"llama_decode of {len(rows)} tokens gave status {status}")
        if rows[-1].wants_logits:
            llama_cpp.llama_get_logits_ith(self.raw, len(rows) - 1)

    def read(self, ids: Sequence[int], start: int = 0) -> None:
        """A prompt, logits of its last token alone."""
        for first in range(0, len(ids), BATCH):
            part = ids[first : first + BATCH]
            last = first + len(part) == len(ids)
            self.decode(
                [
                    Row(token, start + first + index, 0, last and index == len(part) - 1)
                    for index, token in enumerate(part)
                ]
            )

    def write(self, ids: Sequence[int], start: int, streams: int = 1) -> None:
        """Tokens one at a time, in every stream."""
        for step, token in enumerate(ids):
            self.decode([Row(token, start + step, stream, True) for stream in range(streams)])

    def forget(self, stream: int, start: int) -> None:
        """Drop what a stream holds from a position on."""
        if not llama_cpp.llama_memory_seq_rm(self.memory, stream, start, -1):
            raise SystemExit(f"llama.cpp cannot drop positions from {start} on")

    def oldest(self) -> int:
        """Least position that the sliding layers still hold of the first stream."""
        return int(llama_cpp.llama_memory_seq_pos_min(self.memory, 0))


def measure_prefill(report: Report, model: Any, rounds: int) -> None:
    """A prompt of 512 tokens into an empty cache."""
    context, ids, samples = Context(model, 1024, report.threads), words(PROMPT), []
    context.read(ids)  # not counted
    for _ in range(rounds):
        context.forget(0, 0)
        samples.append(PROMPT / seconds(context.read, ids))
    report.add("prefill_512", samples)
    context.close()


def measure_decode(report: Report, model: Any, rounds: int) -> None:
    """One stream, behind two lengths of prompt."""
    context, steps = Context(model, 1024, report.threads), words(STEPS, seed=1)
    for metric, length in (("decode_1", PROMPT), ("decode_1_short", SHORT)):
        context.forget(0, 0)
        context.read(words(length))
        context.write(steps[:2], length)  # not counted
        samples = []
        for _ in range(rounds):
            context.forget(0, length)
            samples.append(STEPS / seconds(context.write, steps, length))
        report.add(metric, samples)
    context.close()


def measure_streams(report: Report, model: Any, rounds: int) -> None:
    """Eight streams in one batch; each has its own copy of the prompt's keys and values."""
    steps = words(STEPS // 2, seed=1)
    for metric, length in (("decode_8", SHORT), ("decode_8_512", PROMPT)):
        context = Context(model, 1024, report.threads, streams=STREAMS)
        context.read(words(length))
        for stream in range(1, STREAMS):
            llama_cpp.llama_memory_seq_cp(context.memory, 0, stream, -1, -1)
        context.write(steps[:1], length, STREAMS)  # not counted
        samples = []
        for _ in range(rounds):
            for stream in range(STREAMS):
                context.forget(stream, length)
            spent = seconds(context.write, steps, length, STREAMS)
            samples.append(len(steps) * STREAMS / spent)
        report.add(metric, samples)
        context.close()


def measure_verify(report: Report, model: Any, rounds: int) -> None:
    """Passes over several tokens, all with logits, beside passes over one."""
    context = Context(model, 1024, report.threads, outputs=max(DRAFTED))
    context.read(words(PROMPT))
    ids = words(max(DRAFTED), seed=2)

    def passes(count: int) -> float:
        rows = [Row(ids[i], PROMPT + i, 0, True) for i in range(count)]
        spent = 0.0
        for _ in range(8):
            context.forget(0, PROMPT)
            spent += seconds(context.decode, rows)
        return spent

    for count in (1, *DRAFTED):
        passes(count)  # not counted
    for count in DRAFTED:
        samples = []
        for _ in range(rounds):
            one = passes(1)
            samples.append(passes(count) / one)
        report.add(f"verify_{count}", samples)
    context.close()


@dataclass(frozen=True, slots=True)
class SecondTurn:
    """A way into the second turn.

    Attributes:
        thought: tokens of the first answer that the second prompt leaves out.
        restores: keep a copy of the sliding layers near the end of each prompt, as llama-server does,
            and go back to it; without, what the window has passed is read again from the start.
    """

    metric: str
    thought: int
    restores: bool


SECOND_TURNS = (
    SecondTurn("second_turn_ttft", 0, True),
    SecondTurn("second_turn_ttft_thought", THOUGHT, True),
    SecondTurn("second_turn_ttft_reread", THOUGHT, False),
)


class Conversation:
    """One stream of a context with the server's rules on what of the cache is of use."""

    def __init__(self, context: Context, window: int, restores: bool) -> None:
        self.context, self.window, self.restores = context, window, restores
        self.held: list[int] = []
        self.saved = self.num_read = 0
        self.copy: Any = None
        context.forget(0, 0)

    def read(self, prompt: list[int]) -> None:
        """Read what the cache lacks of a prompt, to its last token's logits."""
        kept = self._kept(prompt)
        self.num_read = len(prompt) - kept
        self.context.forget(0, kept)
        pause = max(kept, len(prompt) - TAIL) if self.restores else kept
        if pause > kept:
            self.context.read(prompt[kept:pause], kept)
            self._save(pause)
        self.context.read(prompt[pause:], pause)
        self.held = list(prompt)

    def hear(self, answer: list[int]) -> None:
        """Hold an answer; it comes in at once, since what the cache holds counts and not the time."""
        self.context.read(answer, len(self.held))
        self.held += answer

    def _kept(self, prompt: list[int]) -> int:
        """Tokens of the cache that the prompt begins with and that the window has not passed."""
        pairs = zip(self.held, prompt, strict=False)
        same = next((i for i, (old, new) in enumerate(pairs) if old != new), len(self.held))
        kept = min(same, len(prompt) - 1)
        if kept == 0 or self.context.oldest() < max(0, kept - self.window):
            return kept
        if self.copy is None or self.saved > kept:
            return 0
        raw, flags = self.context.raw, llama_cpp.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
        if not llama_cpp.llama_state_seq_set_data_ext(raw, self.copy, len(self.copy), 0, flags):
            raise SystemExit("llama.cpp cannot restore the sliding layers' keys and values")
        return self.saved

    def _save(self, position: int) -> None:
        raw, flags = self.context.raw, llama_cpp.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
        size = llama_cpp.llama_state_seq_get_size_ext(raw, 0, flags)
        self.saved, self.copy = position, (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data_ext(raw, self.copy, size, 0, flags)


def measure_turns(report: Report, model: Any, rounds: int, length: int) -> None:
    """Time to first token of a long conversation's first turn, and of its second in three ways."""
    window = int(llama_cpp.llama_model_n_swa(model))
    context = Context(model, length + 2048, report.threads)
    prompt, answer, question = words(length), words(ANSWER, seed=3), words(QUESTION, seed=4)
    first: list[float] = []
    for case in SECOND_TURNS:
        second: list[float] = []
        for _ in range(rounds):
            talk = Conversation(context, window, case.restores)
            first.append(seconds(talk.read, prompt))
            talk.hear([*words(case.thought, seed=5), *answer] if case.thought else answer)
            second.append(seconds(talk.read, [*prompt, *answer, *question]))
        report.add(case.metric, second, f"{talk.num_read} tokens read")
    report.add("first_turn_ttft", first, f"{length} tokens read")
    context.close()


def chat(options: Namespace) -> None:
    """The child of `measure_start`: load, answer, tell."""
    model = load(options.model)
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    text, buffer = CHAT.encode(), (llama_cpp.llama_token * 64)()
    count = llama_cpp.llama_tokenize(vocabulary, text, len(text), buffer, 64, True, True)
    context = Context(model, CHAT_CONTEXT, options.threads)
    sampler = llama_cpp.llama_sampler_init_greedy()
    context.read(list(buffer[:count]))
    token = llama_cpp.llama_sampler_sample(sampler, context.raw, -1)
    tell_first_token()
    for step in range(CHAT_STEPS):
        context.write([token], count + step)
        token = llama_cpp.llama_sampler_sample(sampler, context.raw, -1)
    tell_private_memory()


def load(path: Path) -> Any:
    """A model with llama.cpp's own settings."""
    params = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise SystemExit(f"llama.cpp cannot load {path}; its reason stands above")
    return model


def main() -> None:
    """Measure what was asked for and print."""
    options = read_options(__doc__)
    log: list[str] = []

    @llama_cpp.llama_log_callback
    def listen(level: int, text: bytes, _: Any) -> None:
        line = text.decode(errors="replace").strip()
        if any(word in line for word in NOTED):
            log.append(line)
        if level == ERROR:
            print(line, file=sys.stderr)

    llama_cpp.llama_log_set(listen, None)
    llama_cpp.llama_backend_init()
    if options.chat:
        chat(options)
        return
    report = Report(
        side="llama.cpp",
        version=f"llama-cpp-python {version('llama-cpp-python')}",
        threads=options.threads,
        settings={"system": llama_cpp.llama_print_system_info().decode()},
    )
    if "start" in options.only:
        measure_start(report, options.model, options.rounds)
    model = load(options.model)
    if "prefill" in options.only:
        measure_prefill(report, model, options.rounds)
    if "decode" in options.only:
        measure_decode(report, model, options.rounds)
    if "streams" in options.only:
        measure_streams(report, model, options.rounds)
    if "verify" in options.only:
        measure_verify(report, model, options.rounds)
    if "turns" in options.only:
        measure_turns(report, model, options.turn_rounds, options.conversation)
    report.settings["log"] = sorted(set(log))
    report.print()


if __name__ == "__main__":
    main()
