"""`gemma4 serve`: settings from flags, variables and a file, then the server until it is told to end."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from ..hub_access import hub_access
from ..output import NoColorOption, QuietOption
from ..session import session_of
from . import flags
from .build import build_settings, read_file
from .options import CONFIG_VARIABLE, settle


def serve(
    context: typer.Context,
    models: flags.Models = None,
    host: flags.Host = None,
    port: flags.Port = None,
    api_key: flags.ApiKey = None,
    api_key_file: flags.ApiKeyFile = None,
    ctx: flags.Ctx = None,
    parallel: flags.Parallel = None,
    keep_alive: flags.KeepAlive = None,
    max_models: flags.MaxModels = None,
    alias: flags.Alias = None,
    drafter: flags.Drafter = None,
    device: flags.Device = None,
    dtype: flags.Dtype = None,
    kernels: flags.Kernels = None,
    threads: flags.Threads = None,
    kv_dtype: flags.KvDtype = None,
    kv_memory: flags.KvMemory = None,
    cors: flags.Cors = None,
    allowed_host: flags.AllowedHost = None,
    metrics: flags.Metrics = None,
    media_path: flags.MediaPath = None,
    fetch_media: flags.FetchMedia = None,
    log_prompts: flags.LogPrompts = None,
    tools: flags.Tools = None,
    mcp: flags.MCP = None,
    max_body: flags.MaxBody = None,
    queue_length: flags.QueueLength = None,
    queue_timeout: flags.QueueTimeout = None,
    load_timeout: flags.LoadTimeout = None,
    request_timeout: flags.RequestTimeout = None,
    requests_per_minute: flags.RequestsPerMinute = None,
    tokens_per_minute: flags.TokensPerMinute = None,
    shutdown_seconds: flags.ShutdownSeconds = None,
    config: flags.Config = None,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Serve models to OpenAI's, Anthropic's and Ollama's clients, and a page to people.

    Every flag is also a variable (GEMMA4_SERVE_QUEUE_LENGTH=8) and a key of the TOML file of --config
    (queue-length = 8); a flag wins over a variable, a variable over the file.

    \b
    Examples:
      gemma4 serve e2b
      gemma4 serve --alias "claude-*=e4b" --alias "gpt-*=e4b" --keep-alive 30m
      gemma4 serve e4b --host 0.0.0.0 --api-key-file keys.txt
    """
    given = {name: value for name, value in locals().items() if value not in (None, [])}
    _start(context, given)


def _start(context: typer.Context, given: Mapping[str, Any]) -> None:
    from ...tools.open import open_toolbox
    from .server import Serving, run_server
    from .tools import check_tools, say_tools

    session = session_of(context)
    out = session.output(quiet=given["quiet"], no_color=given["no_color"])
    environ = dict(session.settings.serve)
    path = given.get("config") or environ.pop(CONFIG_VARIABLE, None)
    environ.pop(CONFIG_VARIABLE, None)
    file = {} if path is None else read_file(Path(path))
    values = settle(given, environ, file, str(path))
    serving = Serving(
        settings=replace(build_settings(values), hub=hub_access(session.settings)),
        named=values["models"],
        shutdown_seconds=values["shutdown_seconds"],
        home=session.settings.home,
    )
    check_tools(serving.settings, values)
    with open_toolbox(tuple(map(Path, values["tools"])), values["mcp"]) as box:
        say_tools(out, box)
        run_server(serving, session.store, out, box)
