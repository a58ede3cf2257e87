"""`--format`: `json`, or a file with the JSON Schema that answers are held to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from ...grammar.formats import Format

_MAX_BYTES = 1 << 20


def read_format(word: str | None) -> "Format | None":
    """What answers are to look like.

    Raises:
        InputError: a file that is not there, too large, or holds no JSON Schema.
    """
    if word is None:
        return None
    from ...grammar.formats import JsonObject, JsonSchema  # brings what takes a second to import

    if word.lower() == "json":
        return JsonObject()
    path = Path(word).expanduser()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"--format {word}: more than {_MAX_BYTES:,} bytes are no schema")
        schema = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"--format {word}: {error.strerror}; give json, or a file with a JSON Schema"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"--format {word} is no JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise InputError(f"--format {word} holds no JSON Schema, which is an object")
    return JsonSchema(schema)
