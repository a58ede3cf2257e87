"""The server under load: right answers to everybody, flat memory, and what serving costs beside the engine.

    .venv/bin/python bench/serve_load.py [--model gemma3:270m] [--minutes 2] [--streams 16] [--rounds 5]

1. Echo: so many streams at once, each with a nonce that a scripted model says back, for so many minutes.
   Every answer must be its own; private memory is told for each third of the time.
2. Greedy: answers of a real model to all streams at once must be those that each gets alone.
3. Overhead: eight answers at once through HTTP and by the engine alone, in turns; the median of the ratios.
   One thread computes, so that clients have a core of their own.
4. First byte: a cached prompt of a tiny model on a kept connection, beside the engine's own time for it.

The last line is JSON.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2
import psutil
from machine import describe_machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

TOKENS = 64
WORDS = ("river", "stone", "lamp", "green", "seven", "under", "cloud", "paper")


def serve(pipe: Connection, model: str) -> None:
    """A server in a process of its own: `echo`, `tiny`, or a model by name."""
    from live_server import live_server

    llm = echoing() if model == "echo" else loaded(model)
    with live_server([llm]) as live:
        pipe.send(live.url)
        pipe.recv()


def echoing():
    """A scripted model that says the nonce of its prompt."""
    from scripted_model import scripted_llm

    def script(prompt: str) -> str:
        nonce = prompt.rpartition("nonce-")[2].partition(".")[0]
        return f"You said {nonce}, " + "and so on " * (len(prompt) % 20) + nonce

    return scripted_llm(script, max_requests=16)


def loaded(model: str):
    """A model as the server loads it, one thread computing."""
    from tiny_chat import tiny_chat_directory

    from gemma4 import load

    source = tiny_chat_directory() if model == "tiny" else model
    return load(source, threads=1, max_requests=16, context=2048, drafter=None)


@contextmanager
def serving(model: str):
    """The address and process of a server."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, model))
    process.start()
    try:
        yield ours.recv(), psutil.Process(process.pid)
    finally:
        ours.send("end")
        process.join(30)


async def said(client: httpx2.AsyncClient, content: str, **more: Any) -> str:
    """The text of a streamed answer."""
    body = {
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "stream": True,
        **more,
    }
    parts: list[str] = []
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            found = json.loads(line[6:])
            if "error" in found:
                raise RuntimeError(found["error"]["message"])
            for choice in found["choices"]:
                delta = choice["delta"]
                parts.append((delta.get("reasoning_content") or "") + (delta.get("content") or ""))
    return "".join(parts)


def with_client(url: str, work: Callable[[httpx2.AsyncClient], Coroutine[Any, Any, Any]]) -> Any:
    """Run client work on a loop."""

    async def run() -> Any:
        limits = httpx2.Limits(max_connections=64)
        async with httpx2.AsyncClient(
            base_url=url, trust_env=False, timeout=300, limits=limits
        ) as client:
            return await work(client)

    return asyncio.run(run())


def echo(streams: int, minutes: float) -> dict[str, Any]:
    """Nonces come back to whom they belong, and memory stays."""
    memory: list[tuple[float, float]] = []
    counts = {"answers": 0, "wrong": 0}

    async def one(client: httpx2.AsyncClient, end: float) -> None:
        while time.monotonic() < end:
            nonce = f"{random.getrandbits(64):x}"
            filler = " ".join(random.choices(WORDS, k=random.randrange(200)))
            text = await said(client, f"{filler} nonce-{nonce}.")
            counts["answers"] += 1
            right = text.startswith(f"You said {nonce}, ") and text.endswith(nonce)
            counts["wrong"] += not right

    with serving("echo") as (url, process):

        async def watch(end: float) -> None:
            while time.monotonic() < end:
                memory.append((time.monotonic(), process.memory_full_info().uss / 2**20))
                await asyncio.sleep(0.5)

        async def work(client: httpx2.AsyncClient) -> None:
            end = time.monotonic() + minutes * 60
            await asyncio.gather(watch(end), *(one(client, end) for _ in range(streams)))

        with_client(url, work)
    sizes = [size for _, size in memory]
    thirds = [sizes[len(sizes) * part // 3 : len(sizes) * (part + 1) // 3] for part in range(3)]
    medians = [round(statistics.median(third), 1) for third in thirds]
    return {**counts, "streams": streams, "minutes": minutes, "private_mib_by_thirds": medians}


def greedy(url: str, streams: int) -> dict[str, Any]:
    """Answers at once beside answers alone."""
    prompts = [f"Tell me of a {WORDS[n % 8]} and a {WORDS[n // 8]}." for n in range(streams)]

    async def alone(client: httpx2.AsyncClient) -> list[str]:
        return [await said(client, prompt, max_tokens=TOKENS) for prompt in prompts]

    async def together(client: httpx2.AsyncClient) -> list[str]:
        return await asyncio.gather(*(said(client, p, max_tokens=TOKENS) for p in prompts))

    single, crowd = with_client(url, alone), with_client(url, together)
    same = sum(a == b for a, b in zip(single, crowd, strict=True))
    return {"answers": streams, "same": same, "different_texts": len(set(single))}


def engine_seconds(llm: Any, prompts: list[str]) -> float:
    """The engine alone: all of these answered together, on this thread."""
    from gemma4.llm.question import Question
    from gemma4.text.messages import Message, Text

    options = {"temperature": 0.0, "max_tokens": TOKENS}
    turns = []
    for prompt in prompts:
        message = Message(role="user", content=(Text(prompt),))
        turns.append(llm.begin(llm.prepare(Question(messages=(message,), options=options))))
    started = time.perf_counter()
    engine = llm.streams.engine
    for turn in turns:
        engine.submit(turn.request)
    while not engine.is_idle:
        engine.step()
    return time.perf_counter() - started


def overhead(url: str, llm: Any, rounds: int) -> dict[str, Any]:
    """Eight answers by the server and by the engine, in turns, each time to new prompts."""

    async def through(client: httpx2.AsyncClient, prompts: list[str]) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(said(client, p, max_tokens=TOKENS) for p in prompts))
        return time.perf_counter() - started

    served, alone = [], []
    for number in range(rounds + 1):
        prompts = [f"Round {number}: speak of a {word}." for word in WORDS]
        served.append(with_client(url, lambda client, p=prompts: through(client, p)))
        alone.append(engine_seconds(llm, prompts))
    ratios = [a / b for a, b in zip(served[1:], alone[1:], strict=True)]
    return {
        "streams": len(WORDS),
        "tokens": TOKENS,
        "served_seconds": round(statistics.median(served[1:]), 3),
        "engine_seconds": round(statistics.median(alone[1:]), 3),
        "ratio": round(statistics.median(ratios), 4),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }


def first_byte(rounds: int) -> dict[str, Any]:
    """From the request's last byte out to the answer's first byte in, over a kept connection."""
    import socket

    content = "A prompt that is asked again and again. " * 20
    question = {
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 1,
        "temperature": 0,
    }
    asked = {**question, "stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps(asked).encode()
    times: list[float] = []
    engine: list[float] = []
    with serving("tiny") as (url, _):
        host, port = url.removeprefix("http://").split(":")
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(40 * rounds):
                started = time.perf_counter()
                connection.sendall(head.encode() + body)
                found = connection.recv(65536)
                times.append(time.perf_counter() - started)
                while not found.endswith(b"0\r\n\r\n"):
                    found += connection.recv(65536)
                engine.append(float(found.rpartition(b'"prompt_ms": ')[2].partition(b",")[0]))
    ordered = sorted(times[5:])
    return {
        "rounds": len(ordered),
        "median_ms": round(statistics.median(ordered) * 1e3, 2),
        "p90_ms": round(ordered[len(ordered) * 9 // 10] * 1e3, 2),
        "least_ms": round(ordered[0] * 1e3, 2),
        "engine_median_ms": round(statistics.median(engine[5:]), 2),
    }


def main() -> None:
    """Run all four and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="gemma3:270m")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": describe_machine(1), "model": options.model}

    def tell(name: str, found: dict[str, Any]) -> None:
        report[name] = found
        print(f"{name}: {found}", flush=True)

    tell("first_byte", first_byte(options.rounds))
    tell("echo", echo(options.streams, options.minutes))
    with serving(options.model) as (url, _):
        tell("greedy", greedy(url, options.streams))
        tell("overhead", overhead(url, loaded(options.model), options.rounds))
    print(json.dumps(report))
    assert not report["echo"]["wrong"], "an answer went to another stream"
    assert report["greedy"]["same"] == options.streams, "company changed a greedy answer"


if __name__ == "__main__":
    main()
