"""Ask a constraint about texts, and let dice write answers under one. One vocabulary for the test session."""

import random
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from gemma4.grammar import AnswerConstraint, Grammars
from gemma4.text.tokens.packaged import packaged_tokenizer
from gemma4.text.tokens.tokenizer import Tokenizer

VOCAB = 262_144
TURN_END, TOOL_RESPONSE, EOS = 106, 50, 1
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
    """Ids that may come next."""
    return np.flatnonzero(np.isfinite(constraint.restrict(torch.zeros(VOCAB)).numpy()))


def refused_at(
    constraint: AnswerConstraint, answer: str | Sequence[int], end: int = TURN_END
) -> str | None:
    """What is left of an answer at the token that may not come; None if all of it may, and then the end."""
    ids = tokenizer().encode(answer, allow_special=True) if isinstance(answer, str) else answer
    for place, id in enumerate([*ids, end]):
        if not np.isfinite(constraint.restrict(torch.zeros(VOCAB))[id]):
            return tokenizer().decode([*ids, end][place:])
        constraint.accept(id)
    return None


def accepts(constraint: AnswerConstraint, answer: str | Sequence[int]) -> bool:
    """Whether an answer may come, token by token, and then the end."""
    return refused_at(constraint, answer) is None


def walk(constraint: AnswerConstraint, seed: int, *, most: int = 400, urge: int = 60) -> list[int]:
    """An answer written by dice, without the id that ends it.

    Short tokens are likelier; after `urge` tokens what ends something is taken where it may come.
    """
    dice = random.Random(seed)
    ids: list[int] = []
    enders = [tokenizer().encode(sign)[0] for sign in ("}", "]", '"')] + [52, 49, 101]
    while True:
        found = allowed(constraint)
        assert found.size, "no token may come"
        ends = [id for id in found if id in STOPS]
        if ends and (len(ids) >= urge or dice.random() < 0.3):
            return ids
        urgent = [id for id in enders if id in found]
        if len(ids) >= urge and urgent:
            id = urgent[0]
        else:
            plain = found if not ends else np.setdiff1d(found, ends)
            if not plain.size:
                return ids
            picks = [int(dice.choice(plain)) for _ in range(3)]
            id = min(picks, key=lambda one: len(tokenizer().token_bytes(one)))
        ids.append(id)
        constraint.accept(id)
        assert len(ids) < most, tokenizer().decode(ids)
