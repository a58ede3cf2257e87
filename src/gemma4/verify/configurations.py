"""In which settings two configurations differ: often the answer to where a difference comes from."""

import dataclasses
from typing import Any

from ..config import ModelConfig

_HARMLESS = frozenset(
    {"stored_dtype", "family", "eos_ids", "max_positions", "media_tokens", "vision", "audio"}
)
"""What does not touch the numbers of one pass, or is compared or told elsewhere."""


def config_differences(first: ModelConfig, second: ModelConfig) -> tuple[str, ...]:
    """Settings that differ, as `text.sliding_window: 512 and 1024`; those of a side alone left out."""
    found = _walk("", first, second)
    for name in ("vision", "audio"):
        parts = getattr(first, name), getattr(second, name)
        if None not in parts:
            found += _walk(f"{name}.", *parts)
    return tuple(found)


def _walk(prefix: str, first: Any, second: Any) -> list[str]:
    if type(first) is not type(second):
        return [f"{prefix.rstrip('.')}: {type(first).__name__} and {type(second).__name__}"]
    found: list[str] = []
    for field in dataclasses.fields(first):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        if field.name in _HARMLESS or ours == theirs:
            continue
        if dataclasses.is_dataclass(ours) and dataclasses.is_dataclass(theirs):
            found += _walk(f"{prefix}{field.name}.", ours, theirs)
        else:
            found.append(f"{prefix}{field.name}: {ours} and {theirs}")
    return found
