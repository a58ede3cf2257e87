"""What is checked of a JSON body before it is parsed: its depth, and that its text is text."""

import json
import re
from typing import Final

from ..errors import RequestError

_TOKENS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def check_json(body: bytes, *, depth: int) -> None:
    """Refuse what parsers and templates would choke on; a body that is merely wrong is the parser's to say.

    Raises:
        RequestError: deeper than `depth`, not UTF-8, or half of a surrogate pair in a text.
    """
    if body.count(b"[") + body.count(b"{") > depth and _depth_exceeds(body, depth):
        raise RequestError(
            f"objects and arrays lie more than {depth} deep in the body, which is the limit; send it flatter",
            code="json_too_deep",
        )
    try:
        body.decode()
        if _ESCAPED_SURROGATE.search(body):
            json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise RequestError(
            f"the body is not UTF-8 (byte {error.start} is {body[error.start]:#04x}); send UTF-8",
            code="invalid_utf8",
        ) from error
    except UnicodeEncodeError as error:
        raise RequestError(
            "a text of the body has half of a surrogate pair, which is no character; send whole ones",
            code="invalid_utf8",
        ) from error
    except (ValueError, RecursionError):
        return  # no JSON: the parser says where


def _depth_exceeds(body: bytes, limit: int) -> bool:
    depth = 0
    for found in _TOKENS.finditer(body):
        byte = body[found.start()]
        if byte in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif byte in b"]}":
            depth -= 1
    return False
