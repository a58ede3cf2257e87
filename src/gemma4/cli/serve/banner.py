"""What a server says when it starts: where it is, what it serves, what to mind, and how to try it."""

import socket
from collections.abc import Sequence

from ...errors import Gemma4Error
from ...serve.loading import DiskLoader
from ...serve.middleware.hosts import is_loopback
from ...serve.settings import ServeSettings
from ...serve.shelf import Known
from ...serve.slot import Served
from ..output import Output, format_bytes


def say_where(out: Output, url: str, settings: ServeSettings) -> None:
    """Its addresses, and who may ask."""
    out.note(f"gemma4 serves at {url}")
    out.note(f"  page            {url}/")
    out.note(f"  OpenAI          {url}/v1")
    out.note(f"  Anthropic       {url}  (ANTHROPIC_BASE_URL)")
    out.note(f"  Ollama          {url}  (OLLAMA_HOST)")
    if settings.metrics:
        out.note(f"  metrics         {url}/metrics")
    keys = len(settings.access.key_hashes)
    out.note(f"  keys            {f'{keys} accepted' if keys else 'none is asked for'}")
    if not is_loopback(settings.host) and not keys:
        out.warn(
            f"everybody who reaches {settings.host} ({socket.gethostname()}) may use this server: give it "
            "--api-key, or --host 127.0.0.1"
        )
    if settings.log_prompts:
        out.warn("what is asked and answered is written to the log (--log-prompts)")


def say_models(
    out: Output, named: Sequence[Known], others: Sequence[Known], loader: DiskLoader
) -> None:
    """What will be loaded now, whether it fits, and what can be asked for."""
    for known in named:
        out.note(f"loading {known.id}: {fit_of(known, loader)}")
    ids = [known.id for known in others if known not in named]
    if ids:
        out.note(f"on demand: {', '.join(ids)}")
    if not named and not ids:
        out.warn("there is no model; `gemma4 pull e2b` gets one, and no restart is needed")


def fit_of(known: Known, loader: DiskLoader) -> str:
    """Memory and context of a model, in words."""
    try:
        found = loader.measure(known)
    except Gemma4Error as error:
        return str(error)
    verdict = "fits" if found.fits else "does not fit, so that the disk is read for every token"
    return (
        f"{format_bytes(found.needed)} of {format_bytes(found.available)} free, {verdict}; context "
        f"{found.context:,} of {found.longest:,} tokens"
    )


def say_loaded(out: Output, served: Served) -> None:
    """That a model is there, and how it computes."""
    info = served.llm.info
    out.note(
        f"{served.id} is loaded in {info.load_seconds:.1f} s: context {info.context:,} tokens, "
        f"{info.max_requests} answers at once, keys and values {info.kv_dtype} "
        f"{format_bytes(info.kv_bytes)}, {info.device}, kernels {info.kernels}, template {info.template}"
    )
    for note in info.notes:
        out.note(f"  {note}")


def say_how(out: Output, served: Served, url: str, *, needs_key: bool) -> None:
    """How to try it."""
    key = "-H 'authorization: Bearer KEY' " if needs_key else ""
    body = f'{{"model": "{served.id}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
    out.note(f"try: curl {url}/v1/chat/completions {key}-d '{body}'")
