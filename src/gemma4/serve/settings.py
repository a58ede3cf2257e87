"""How a server behaves. Plain values: the command line fills them from flags, a file and the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MIB: Final = 2**20
KEEP_ALIVE_SECONDS: Final = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of what one server takes on. Seconds and bytes; None: no bound.

    Attributes:
        body_bytes: of a request, unpacked.
        body_seconds: a body that has brought nothing for so long is given up.
        header_seconds: the same of a request's head, from its first byte to its last.
        json_depth: of objects and arrays inside each other.
        ping_seconds: a stream that has been quiet for so long is sent a comment, so that nobody hangs up.
        send_seconds: a stream that nobody reads for so long is ended.
        choices: most answers to one request.
        queue_length: answers of one model that may wait for their turn; more are refused.
        queue_seconds: a request that has waited so long for its turn is refused.
        load_seconds: the same for a model that is being loaded.
        request_seconds: the most that one answer may take, waiting included.
        requests_per_minute, tokens_per_minute: of one key, or of one address where there are no keys; tokens
            are those computed: of prompts without what was cached, and of answers.
        media_bytes, media_seconds: of a medium that is fetched.
    """

    body_bytes: int = 256 * MIB
    body_seconds: float = 30.0
    header_seconds: float = 15.0
    json_depth: int = 128
    ping_seconds: float = 10.0
    send_seconds: float = 120.0
    choices: int = 16
    queue_length: int = 64
    queue_seconds: float = 600.0
    load_seconds: float = 600.0
    request_seconds: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    media_bytes: int = 64 * MIB
    media_seconds: float = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        key_hashes: SHA-256 of each API key, in hexadecimal; none: everybody may.
        origins: of web pages that may ask beside the server's own, `*`: all.
        hosts: names by which the server may be called; empty: what names this machine while the server
            listens to it alone, anything else otherwise; `*`: any.
    """

    key_hashes: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Loading:
    """How models are loaded and kept; see `gemma4.load`.

    Attributes:
        context: None: 32,768 tokens at least, where the memory has them.
        parallel: answers at once. drafter: None: nothing guesses.
        keep_alive: seconds that an idle model stays; None: for ever.
        max_models: loaded at once. aliases: other names of models; `*` stands for anything.
    """

    context: int | None = None
    parallel: int = 4
    device: str = "auto"
    dtype: str = "auto"
    kernels: str = "auto"
    threads: int | None = None
    kv_dtype: str = "auto"
    kv_memory: int | None = None
    drafter: str | None = "lookup"
    keep_alive: float | None = KEEP_ALIVE_SECONDS
    max_models: int = 3
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeSettings:
    """All settings of a server.

    Attributes:
        metrics: whether `/metrics` is there.
        media_path: folder whose files `file://` may name; None: none.
        fetch_media: whether http(s) URLs of media are fetched.
        log_prompts: whether the log has what was asked and answered.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    metrics: bool = True
    media_path: Path | None = None
    fetch_media: bool = False
    log_prompts: bool = False
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    loading: Loading = field(default_factory=Loading)
