"""Text to token ids and back, on the `tokenizers` library.

Text is plain unless said otherwise: `<|turn>` typed by a user becomes the ids of its letters, never the
control token. Bytes are the truth of decoding: every id stands for some bytes, and text is those bytes
read as UTF-8, a wrong byte sequence as U+FFFD.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tokenizers

from ...errors import CheckpointError, InputError, MessageError
from .special_tokens import BOS

SPACE = "\u2581"
"""How the vocabulary writes a space: ▁ (so a ▁ in a text comes back as a space)."""

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
# A letter, runs of space and newline, a tab, Latin-1, a Han character, an emoji, an unassigned code point.
_SELF_CHECK = "Hello  wörld\n\n\t漢🙂\U000e0fff"


class Tokenizer:
    """Gemma's byte-pair encoding with byte fallback.

    Args:
        backend: the encoder; its special tokens are switched off in plain text from here on.
        origin: where it came from, for messages.

    Raises:
        CheckpointError: if it does not give a text back that it encoded, or has no `<bos>`.
    """

    def __init__(self, backend: tokenizers.Tokenizer, *, origin: str) -> None:
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = True  # the library's name for: read them as plain text
        self._backend = backend
        added = backend.get_added_tokens_decoder()
        self.special_ids: Mapping[str, int] = {
            token.content: id for id, token in sorted(added.items()) if token.special
        }
        self._special_by_id = {id: literal for literal, id in self.special_ids.items()}
        self._added_by_id = {id: token.content for id, token in added.items()}
        self._special_lengths = sorted({len(s) for s in self.special_ids}, reverse=True)
        starts = "".join(sorted({literal[0] for literal in self.special_ids}))
        self._special_start = re.compile(f"[{re.escape(starts)}]" if starts else r"(?!)")
        self.vocab_size: int = backend.get_vocab_size(with_added_tokens=True)
        if BOS not in self.special_ids:
            raise CheckpointError(
                f"{origin} has no special token {BOS}; Gemma's tokenizers have one"
            )
        self.bos_id = self.special_ids[BOS]
        returned = self.decode(self.encode(_SELF_CHECK))
        if returned != _SELF_CHECK:
            raise CheckpointError(
                f"{origin} turns {_SELF_CHECK!r} into {returned!r}; "
                "only Gemma's BPE (spaces as ▁, bytes as fallback) is understood"
            )

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Ids of `text`, without `<bos>`; with `allow_special`, literals of special tokens become them.

        Raises:
            MessageError: for half of a surrogate pair, which is no character.
        """
        if not allow_special:
            return self._encode_plain(text)
        ids: list[int] = []
        for piece in self.split_special(text):
            ids += [piece] if isinstance(piece, int) else self._encode_plain(piece)
        return ids

    def split_special(self, text: str) -> Iterator[str | int]:
        """Cut `text` at the literals of special tokens: plain pieces as text, the tokens as ids."""
        done = 0
        for match in self._special_start.finditer(text):
            start = match.start()
            if start < done:
                continue
            literal = self._special_at(text, start)
            if literal is None:
                continue
            if start > done:
                yield text[done:start]
            yield self.special_ids[literal]
            done = start + len(literal)
        if done < len(text):
            yield text[done:]

    def count(self, text: str) -> int:
        """How many tokens plain `text` takes."""
        return len(self.encode(text))

    def decode(self, ids: Iterable[int], *, skip_special: bool = False) -> str:
        """The text of `ids`; special tokens as their literals, or left out with `skip_special`."""
        kept = (id for id in ids if not (skip_special and id in self._special_by_id))
        return b"".join(map(self.token_bytes, kept)).decode("utf-8", errors="replace")

    def token_bytes(self, id: int) -> bytes:
        """The bytes that token `id` stands for; a special token's are its literal's.

        Raises:
            InputError: for an id outside the vocabulary.
        """
        if id in self._added_by_id:
            return self._added_by_id[id].encode()
        piece = self._backend.id_to_token(id) if 0 <= id < self.vocab_size else None
        if piece is None:
            raise InputError(
                f"token id {id} is not in the vocabulary of {self.vocab_size}; "
                "are the tokenizer and the model of one family?"
            )
        byte = _BYTE_PIECE.fullmatch(piece)
        return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE, " ").encode()

    def to_json(self) -> bytes:
        """The content of a `tokenizer.json` that makes this tokenizer."""
        return self._backend.to_str().encode()

    def is_special(self, id: int) -> bool:
        """Whether `id` is a special token."""
        return id in self._special_by_id

    def _encode_plain(self, text: str) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MessageError(
                f"character {error.start} of a text is U+{ord(text[error.start]):04X}, half of a "
                "surrogate pair; send whole characters"
            ) from error
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids

    def _special_at(self, text: str, start: int) -> str | None:
        """The longest special literal that begins at `start`."""
        for length in self._special_lengths:
            if text[start : start + length] in self.special_ids:
                return text[start : start + length]
        return None


def tokenizer_from_json(data: bytes, *, origin: str) -> Tokenizer:
    """Read the bytes of a `tokenizer.json`; `origin` names them in messages.

    Raises:
        CheckpointError: if they are damaged or no byte-pair encoding.
    """
    try:
        backend = tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # the library raises bare Exception and ValueError for any fault
        raise CheckpointError(f"{origin} is no readable tokenizer.json: {_line(error)}") from error
    if not isinstance(backend.model, tokenizers.models.BPE):
        kind = type(backend.model).__name__
        raise CheckpointError(f"{origin} holds a {kind} tokenizer; Gemma's are BPE")
    return Tokenizer(backend, origin=origin)


def tokenizer_from_directory(path: Path) -> Tokenizer:
    """Read `tokenizer.json` in a checkpoint directory.

    Raises:
        CheckpointError: if it is missing, damaged or no byte-pair encoding.
    """
    file = path / "tokenizer.json"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {file}: {error.strerror}; copy it from the model's repository"
        ) from error
    return tokenizer_from_json(data, origin=str(file))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
