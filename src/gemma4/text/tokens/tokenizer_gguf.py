"""A tokenizer from GGUF metadata, with the ids that the model's `tokenizer.json` gives.

Gemma 4 files (`tokenizer.ggml.model` = "gemma4") carry the merges. Gemma 3 files ("llama") carry scores
instead: a SentencePiece BPE joins the neighbours whose union scores highest, so the merges are every way
to cut a piece into two pieces, the best-scored piece first.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, cast

import tokenizers
from tokenizers import decoders, models, normalizers

from ...errors import CheckpointError
from .tokenizer import SPACE, Tokenizer

_PREFIX = "tokenizer.ggml."


class TokenType(IntEnum):
    """`tokenizer.ggml.token_type`, as GGUF numbers it."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def tokenizer_from_gguf(metadata: Mapping[str, Any], *, origin: str = "the GGUF file") -> Tokenizer:
    """Build the tokenizer that `tokenizer.ggml.*` of a GGUF file describes.

    Args:
        metadata: GGUF keys to values; arrays as sequences.
        origin: names the file in messages.

    Raises:
        CheckpointError: if a key is missing, arrays differ in length, or it is no Gemma tokenizer.
    """
    kind = _value(metadata, "model", origin)
    if kind not in ("gemma4", "llama"):
        raise CheckpointError(
            f'{origin} has tokenizer.ggml.model "{kind}"; Gemma files say "gemma4" or "llama"'
        )
    pieces = [str(piece) for piece in _array(metadata, "tokens", origin)]
    types = [int(kind) for kind in _array(metadata, "token_type", origin)]
    _same_length(pieces, types, "token_type", origin)
    if kind == "gemma4":
        merges = _merges(_array(metadata, "merges", origin), origin)
        added = (TokenType.CONTROL, TokenType.USER_DEFINED)
        return _build(pieces, types, merges, special=added, origin=origin)
    scores = [float(score) for score in _array(metadata, "scores", origin)]
    _same_length(pieces, scores, "scores", origin)
    # User-defined pieces are stored as they read, with plain spaces.
    pieces = [
        piece.replace(" ", SPACE) if kind == TokenType.USER_DEFINED else piece
        for piece, kind in zip(pieces, types, strict=True)
    ]
    merges = _merges_from_scores(pieces, types, scores)
    return _build(pieces, types, merges, special=(TokenType.CONTROL,), origin=origin)


def _build(
    pieces: list[str],
    types: list[int],
    merges: list[tuple[str, str]],
    *,
    special: tuple[TokenType, ...],
    origin: str,
) -> Tokenizer:
    vocab = {piece: id for id, piece in enumerate(pieces)}
    if len(vocab) != len(pieces):
        raise CheckpointError(f"{origin} repeats {len(pieces) - len(vocab)} of its token names")
    try:
        model = models.BPE(
            vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    except (
        Exception
    ) as error:  # the library raises bare Exception for a merge outside the vocabulary
        raise CheckpointError(f"{origin} has merges that do not fit its tokens: {error}") from error
    backend = tokenizers.Tokenizer(model)
    backend.normalizer = normalizers.Replace(" ", SPACE)
    backend.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    controls = [piece for piece, kind in zip(pieces, types, strict=True) if kind in special]
    backend.add_special_tokens([_added(piece, special=True) for piece in controls])
    own = TokenType.USER_DEFINED  # looked up once: an enumeration is slow at it
    words = [
        piece
        for piece, kind in zip(pieces, types, strict=True)
        if kind == own and kind not in special and not _is_whitespace(piece)
    ]
    backend.add_tokens([_added(piece, special=False) for piece in words])
    return Tokenizer(backend, origin=origin)


def _merges_from_scores(
    pieces: list[str], types: list[int], scores: list[float]
) -> list[tuple[str, str]]:
    """Every cut of every piece, best first; the order of SentencePiece's own conversion."""
    known = set(pieces)
    cuts: list[tuple[float, int, int, int]] = []  # score, length left, length right, -id
    for id, (piece, kind, score) in enumerate(zip(pieces, types, scores, strict=True)):
        if kind == TokenType.USER_DEFINED and _is_whitespace(piece):
            score = 0.0  # runs of whitespace are joined before anything else
        elif kind != TokenType.NORMAL:
            continue
        length = len(piece)
        for at in range(1, length):
            if piece[:at] in known and piece[at:] in known:
                cuts.append((score, at, length - at, -id))
    cuts.sort(reverse=True)
    return [(pieces[-id][:at], pieces[-id][at:]) for _, at, _, id in cuts]


def _is_whitespace(piece: str) -> bool:
    return not piece.strip(f"{SPACE}\n\t")


def _added(piece: str, *, special: bool) -> tokenizers.AddedToken:
    return tokenizers.AddedToken(piece, special=special, normalized=False)


def _merges(lines: Sequence[Any], origin: str) -> list[tuple[str, str]]:
    """Half a million lines, so this is kept tight; pieces that are no tokens are found later."""
    merges = [tuple(str(line).split(" ", 1)) for line in lines]
    if {*map(len, merges)} - {2}:
        wrong = next(line for line, parts in zip(lines, merges, strict=True) if len(parts) != 2)
        raise CheckpointError(f"{origin} has a merge {wrong!r}; it must be two tokens and a space")
    return cast("list[tuple[str, str]]", merges)


def _value(metadata: Mapping[str, Any], key: str, origin: str) -> Any:
    if _PREFIX + key not in metadata:
        raise CheckpointError(f"{origin} has no {_PREFIX}{key}; it holds no whole tokenizer")
    return metadata[_PREFIX + key]


def _array(metadata: Mapping[str, Any], key: str, origin: str) -> Sequence[Any]:
    value = _value(metadata, key, origin)
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise CheckpointError(f"{origin}: {_PREFIX}{key} is {type(value).__name__}, not an array")
    array: Sequence[Any] = value
    return array


def _same_length(pieces: list[str], other: Sequence[Any], key: str, origin: str) -> None:
    if len(pieces) != len(other):
        raise CheckpointError(
            f"{origin} has {len(pieces)} tokens but {len(other)} entries in {_PREFIX}{key}"
        )
