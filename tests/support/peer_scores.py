"""How far two models agree on the same ids, and the tiny files that llama.cpp and we both read.

Letters: T tokens, V vocab.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import gemma4
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.engine.streams import Streams
from gemma4.llm.llm import LLM

DATA = Path(__file__).parents[1] / "data" / "agreement"
STEPS = 96
# Ids without control tokens, spread over the vocabulary; longer than the window of the tiny models.
TINY_PROMPT = [2, *(4 + (index * index * 7 + index * 31) % 508 for index in range(39))]
TINY_TEXT = [2, *(4 + (index * index * index * 5 + index * 77) % 508 for index in range(255))]
QUANTIZED = ("Q8_0", "Q4_0")


@dataclass(frozen=True)
class Scores:
    """What a model makes of T ids: its favourite next id at each [T], and −log p of each next [T−1]."""

    best: np.ndarray
    loss: np.ndarray

    @property
    def perplexity(self) -> float:
        """Of the ids after the first."""
        return float(np.exp(self.loss.mean(dtype=np.float64)))


def scores_of(logits: Tensor, ids: Sequence[int]) -> Scores:
    """From logits [T, V]."""
    best = logits.argmax(-1).numpy()
    following = torch.tensor(ids[1:])
    losses = [
        torch.nn.functional.cross_entropy(rows, wanted, reduction="none")
        for rows, wanted in zip(logits[:-1].split(64), following.split(64), strict=True)
    ]
    return Scores(best, torch.cat(losses).numpy())


def agreement(ours: Scores, theirs: Scores) -> float:
    """Share of positions with the same favourite."""
    return float((ours.best == theirs.best).mean())


def load_float32(path: Path) -> LLM:
    """Our model of a GGUF file, expanded to float32."""
    return gemma4.load(path, device="cpu", dtype="float32")


def greedy_ids(llm: LLM, prompt: Sequence[int], steps: int) -> list[int]:
    """The ids behind a prompt, each the likeliest; nothing ends them early."""
    sampling = Sampling(temperature=0.0, max_tokens=steps, loop_guard=False)
    engine = open_engine(llm.model, Limits(context=len(prompt) + steps + 1, max_requests=1))
    request = engine.prepare(Prompt(ids=torch.tensor(prompt)), sampling)
    return [step.id for step in Streams(engine).run(request) if isinstance(step, Choice)]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
