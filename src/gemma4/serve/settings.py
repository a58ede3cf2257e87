"""How a server behaves. Plain values: the command line fills them from flags, a file and the environment."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of what one server takes on.

    Attributes:
        body_bytes: of a request, unpacked.
        ping_seconds: a stream that has been quiet for so long is sent a comment, so that nobody hangs up.
        choices: most answers to one request.
    """

    body_bytes: int = 256 * MIB
    ping_seconds: float = 10.0
    choices: int = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeSettings:
    """All settings of a server.

    Attributes:
        media_path: folder whose files `file://` may name; None: none.
        fetch_media: whether http(s) URLs of media are fetched.
        limits: of requests.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    media_path: Path | None = None
    fetch_media: bool = False
    limits: Limits = field(default_factory=Limits)
