"""A `tokenizer.json` as GGUF metadata: the inverse of `tokenizer_gguf`.

Gemma 4 files carry the merges. Gemma 3 files ("llama") carry scores instead; a piece's score is the
rank of the first merge that makes it, which brings the pieces together in the same order.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import CheckpointError
from .tokenizer import SPACE
from .tokenizer_gguf import TokenType

VISIBLE = frozenset(
    {
        *("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>"),
        *("<|tool_response>", "<tool_response|>", '<|"|>'),
    }
)
"""Control tokens that llama.cpp shall print, so that its own parser of answers can read them."""

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_NO_SCORE = -1000.0  # of Gemma 4's pieces: nothing reads it, llama.cpp wants it


def vocabulary_metadata(data: bytes, *, kind: str, vocab_size: int, origin: str) -> dict[str, Any]:
    """Make the keys `tokenizer.ggml.*`, special ids of the model's configuration apart.

    Args:
        data: of tokenizer.json.
        kind: "gemma4" with merges, or "llama" with scores (Gemma 3).
        vocab_size: rows of the embedding. Missing pieces are filled in as unused; special tokens
            beyond it, which the model cannot look up, are left out.
        origin: names the file in messages.

    Raises:
        CheckpointError: it is no byte-pair encoding, or has ordinary pieces beyond the embedding.
    """
    content = json.loads(data)
    model = content.get("model", {})
    if model.get("type") != "BPE":
        raise CheckpointError(f"{origin} holds a {model.get('type')} tokenizer; Gemma's are BPE")
    added = {int(token["id"]): token for token in content.get("added_tokens", ())}
    pieces = {id: piece for piece, id in model["vocab"].items()}
    pieces |= {id: token["content"] for id, token in added.items()}
    _refuse_beyond(pieces, added, vocab_size, origin)
    tokens = [pieces.get(id, f"[UNUSED{id}]") for id in range(vocab_size)]
    types = [_type_of(tokens[id], added.get(id), id in pieces) for id in range(vocab_size)]
    merges = [_parts(merge, origin) for merge in model["merges"]]
    keys: dict[str, Any] = {
        "tokenizer.ggml.model": kind,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [int(type) for type in types],
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": False,
    }
    if kind == "gemma4":
        keys["tokenizer.ggml.scores"] = [_NO_SCORE] * vocab_size
        keys["tokenizer.ggml.merges"] = [f"{left} {right}" for left, right in merges]
    else:
        keys["tokenizer.ggml.pre"] = "default"
        keys["tokenizer.ggml.scores"] = _scores(tokens, merges)
        keys["tokenizer.ggml.tokens"] = [
            token.replace(SPACE, " ") if type is TokenType.USER_DEFINED else token
            for token, type in zip(tokens, types, strict=True)
        ]
    unknown = model.get("unk_token")
    if unknown in model["vocab"]:
        keys["tokenizer.ggml.unknown_token_id"] = model["vocab"][unknown]
    return keys


def _type_of(token: str, added: Mapping[str, Any] | None, known: bool) -> TokenType:
    if not known:
        return TokenType.UNUSED
    if added is not None:
        plain = not added.get("special") or token in VISIBLE
        return TokenType.USER_DEFINED if plain else TokenType.CONTROL
    return TokenType.BYTE if _BYTE.fullmatch(token) else TokenType.NORMAL


def _refuse_beyond(
    pieces: Mapping[int, str], added: Mapping[int, Any], vocab_size: int, origin: str
) -> None:
    """Special tokens alone may lie beyond the embedding: plain text never becomes one."""
    wrong = [id for id in pieces if id >= vocab_size and not added.get(id, {}).get("special")]
    if wrong:
        raise CheckpointError(
            f"{origin} has the piece {pieces[wrong[0]]!r} with id {wrong[0]}, but the model has "
            f"{vocab_size} rows; they belong to different models"
        )


def _parts(merge: str | Sequence[str], origin: str) -> tuple[str, str]:
    """A merge, which files write as a pair or as one string."""
    left, space, right = (
        merge.partition(" ") if isinstance(merge, str) else (merge[0], " ", merge[1])
    )
    if not (left and space and right) or " " in left + right:
        raise CheckpointError(f"{origin} has a merge {merge!r}; it must be two pieces")
    return left, right


def _scores(tokens: Sequence[str], merges: Sequence[tuple[str, str]]) -> list[float]:
    """Minus the rank of the first merge that makes a piece; what none makes comes last."""
    ranks: dict[str, int] = {}
    for left, right in merges:
        ranks.setdefault(left + right, len(ranks))
    last = len(ranks)
    return [-float(ranks.get(token, last)) for token in tokens]
