"""Ask a constraint about texts, and let dice write answers under one. One vocabulary for the test session."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from gemma4.grammar import AnswerConstraint, Grammars
from gemma4.text.tokens.packaged import packaged_tokenizer
from gemma4.text.tokens.tokenizer import Tokenizer

VOCAB = 262_144
TURN_END, TOOL_RESPONSE, EOS = 106, 50, 1
CALL, CALL_END, DELIMITER, CHANNEL, CHANNEL_END = 48, 49, 52, 100, 101
STOPS = (EOS, TOOL_RESPONSE, TURN_END)


@cache
def tokenizer() -> Tokenizer:
    """Gemma 4's."""
    return packaged_tokenizer()


@cache
def grammars() -> Grammars:
    """Over Gemma 4's vocabulary."""
    return Grammars(tokenizer(), vocab_size=VOCAB, stop_ids=STOPS)


def allowed(constraint: AnswerConstraint) -> np.ndarray:
    """For each id whether it may come next."""
    return np.isfinite(constraint.restrict(torch.zeros(VOCAB)).numpy())


def refused_at(
    constraint: AnswerConstraint, answer: str | Sequence[int], end: int = TURN_END
) -> str | None:
    """What is left of an answer at the token that may not come; None if all of it may, and then the end."""
    ids = tokenizer().encode(answer, allow_special=True) if isinstance(answer, str) else answer
    for place, id in enumerate([*ids, end]):
        if not allowed(constraint)[id]:
            return tokenizer().decode([*ids, end][place:])
        constraint.accept(id)
    return None


def accepts(constraint: AnswerConstraint, answer: str | Sequence[int]) -> bool:
    """Whether an answer may come, token by token, and then the end."""
    return refused_at(constraint, answer) is None


def walk(constraint: AnswerConstraint, seed: int, *, most: int = 400, urge: int = 40) -> list[int]:
    """An answer written by dice, without the id that ends it.

    Short tokens are likelier; after `urge` tokens what closes something is taken where it may come.
    """
    dice = np.random.default_rng(seed)
    ids: list[int] = []
    while True:
        flags = allowed(constraint)
        ends = any(flags[id] for id in STOPS)
        hurry = len(ids) >= urge
        if ends and (hurry or dice.random() < 0.3):
            return ids
        flags[list(STOPS)] = False
        found = np.flatnonzero(flags)
        if ends and not found.size:
            return ids
        assert found.size, "no token may come"
        closers = [id for id in _closers(constraint) if hurry and flags[id]]
        picks = [*closers, *(int(id) for id in dice.choice(found, 3))]
        ids.append(picks[0] if closers else min(picks, key=_length))
        constraint.accept(ids[-1])
        assert len(ids) < most, tokenizer().decode(ids)


def _closers(constraint: AnswerConstraint) -> list[int]:
    """Tokens that end what is being written."""
    writing = constraint._held and constraint._held._writing
    if writing and writing.in_text:
        return [DELIMITER, *tokenizer().encode('"')]
    return [CALL_END, CHANNEL_END, *(tokenizer().encode(sign)[0] for sign in "}]:")]


def _length(id: int) -> int:
    return 1 if tokenizer().is_special(id) else len(tokenizer().token_bytes(id))
