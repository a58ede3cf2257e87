"""`keep_alive`: how long a model stays loaded after it was asked."""

import re
from typing import Final

from ..errors import RequestError

AS_IT_IS: Final = -1.0
"""What `Models.use` takes for: as it was before."""

_UNITS: Final = {
    "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")


def read_keep_alive(value: float | str | None) -> float | None:
    """Seconds as `Models.use` takes them: None for ever, `AS_IT_IS` where nothing was said.

    A number is in seconds, a text is a duration such as `5m`, `1h30m` or `-1`; what is negative is for ever.

    Raises:
        RequestError: a text that is no duration.
    """
    if value is None:
        return AS_IT_IS
    seconds = _seconds(value) if isinstance(value, str) else float(value)
    if seconds is None or seconds != seconds:
        raise RequestError(
            f"keep_alive is {value!r}; give seconds, or a duration such as 5m, 1h30m, 0 or -1",
            param="keep_alive",
        )
    return None if seconds < 0 else seconds


def _seconds(text: str) -> float | None:
    """A duration as Go writes it, or a bare number; None where it is neither."""
    word = text.strip()
    unsigned = word.removeprefix("-")
    sign = -1.0 if unsigned != word else 1.0
    parts = list(_PART.finditer(unsigned))
    if parts and "".join(part[0] for part in parts) == unsigned:
        return sign * sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    try:
        return float(word)
    except ValueError:
        return None
