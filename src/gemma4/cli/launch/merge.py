"""Settings put into a user's JSON without losing any of the others."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from .plan import JSONEdit


def merged_text(edit: JSONEdit, before: str | None) -> str:
    """The file's text with the settings in it, in the order it had.

    Args:
        before: its text until now; None where there is no file.

    Raises:
        InputError: it is no plain JSON, or holds something else where an object must be. Comments would be
            lost, so a file with comments is not written; the message says what to put in by hand.
    """
    if before is None or not before.strip():
        return _written(edit.settings)
    try:
        found = json.loads(before)
    except ValueError as error:
        raise _refused(
            edit, f"is no plain JSON ({error}), and comments in it would be lost"
        ) from error
    if not isinstance(found, dict):
        raise _refused(edit, "holds no JSON object")
    return _written(_merged(found, edit.settings, edit, ""))


def _merged(found: dict[str, Any], wanted: Mapping[str, Any], edit: JSONEdit, where: str) -> Any:
    result = dict(found)
    for key, value in wanted.items():
        place = f"{where}.{key}".lstrip(".")
        old = result.get(key)
        if isinstance(value, Mapping) and old is not None:
            if not isinstance(old, dict):
                raise _refused(edit, f"has something else than an object at {place}")
            result[key] = _merged(old, value, edit, place)
        elif isinstance(value, list) and old is not None and _have_ids(value):
            if not isinstance(old, list):
                raise _refused(edit, f"has something else than a list at {place}")
            result[key] = _joined(old, value)
        else:
            result[key] = value
    return result


def _have_ids(items: Sequence[Any]) -> bool:
    return all(isinstance(item, Mapping) and "id" in item for item in items)


def _joined(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """The old items, those with the `id` of a new one replaced where they stand, and the rest of the new."""
    by_id = {item["id"]: item for item in new}
    known = [item.get("id") if isinstance(item, dict) else None for item in old]
    kept = [by_id.get(id, item) for id, item in zip(known, old, strict=True)]
    return kept + [item for item in new if item["id"] not in known]


def _written(settings: Any) -> str:
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _refused(edit: JSONEdit, why: str) -> InputError:
    return InputError(
        f"{edit.path} {why}; it is left as it is, put this into it by hand: {json.dumps(edit.settings)}"
    )
