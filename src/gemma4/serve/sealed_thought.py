"""A thought as one opaque word that a client keeps and sends back: nothing is remembered here for it.

Packed, not encrypted: it is the client's own answer, and holds nothing that was kept from it.
"""

import base64
import binascii
import zlib
from typing import Final

_MARK: Final = "gemma4-thought."
_LONGEST: Final = 16 * 2**20  # bytes of a thought, unpacked


def sealed(thought: str) -> str:
    """The word for a thought; never empty."""
    return _MARK + base64.urlsafe_b64encode(zlib.compress(thought.encode())).decode()


def unsealed(word: str) -> str | None:
    """The thought of such a word; None where the word was not made here, or is damaged."""
    if not word.startswith(_MARK):
        return None
    try:
        packed = base64.b64decode(word.removeprefix(_MARK), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        thought = unpacking.decompress(packed, _LONGEST).decode()
        return thought if unpacking.eof else None
    except (binascii.Error, ValueError, zlib.error):
        return None
