"""Text of models and tools on a terminal."""

_CONTROLS = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)


def without_controls(text: str) -> str:
    """The text without control characters, with which it could rewrite or reorder the screen."""
    return text.translate(_CONTROLS)
