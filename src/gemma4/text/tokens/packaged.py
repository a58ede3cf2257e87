"""The Gemma 4 tokenizer that ships inside the package, so that counting tokens needs no download."""

import hashlib
import lzma
from importlib.resources import files

from ...errors import CheckpointError
from .tokenizer import Tokenizer, tokenizer_from_json

SHA256 = "cc8d3a0ce36466ccc1278bf987df5f71db1719b9ca6b4118264f45cb627bfe0f"
"""Digest of Google's `tokenizer.json`, unpacked."""

_NAME = "gemma-4-it-tokenizer.json.xz"


def packaged_tokenizer_json() -> bytes:
    """Google's `tokenizer.json`, unpacked and checked against its digest.

    Raises:
        CheckpointError: if the packaged file is damaged.
    """
    packed = (files("gemma4.text.tokens") / "data" / _NAME).read_bytes()
    return unpack(packed)


def unpack(packed: bytes) -> bytes:
    """Decompress and check a copy of the packaged file.

    Raises:
        CheckpointError: if it is damaged.
    """
    try:
        data = lzma.decompress(packed)
    except lzma.LZMAError as error:
        raise CheckpointError(f"the packaged tokenizer is damaged: {error}; reinstall") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise CheckpointError(
            f"the packaged tokenizer has SHA-256 {digest[:12]}…, not {SHA256[:12]}…; reinstall"
        )
    return data


def packaged_tokenizer() -> Tokenizer:
    """The Gemma 4 tokenizer; takes about a second, so keep it."""
    return tokenizer_from_json(packaged_tokenizer_json(), origin="the packaged tokenizer")
