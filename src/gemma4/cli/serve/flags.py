"""The flags of `gemma4 serve`. None stands for one that was not given: see `options.settle`."""

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[str] | None, typer.Argument(help="Loaded at once and kept; others: on demand.")
]
Text = str | None
Words = list[str] | None
Number = int | None

Host = Annotated[
    Text, typer.Option("--host", help="Address to listen at; 0.0.0.0: all.  [127.0.0.1]")
]
Port = Annotated[Number, typer.Option("--port", help="0: any that is free.  [8080]")]
ApiKey = Annotated[
    Words, typer.Option("--api-key", help="That clients must send; may be repeated.")
]
ApiKeyFile = Annotated[Text, typer.Option("--api-key-file", help="The same, one a line.")]
Ctx = Annotated[
    Number, typer.Option("--ctx", help="Tokens of a request; default: 32,768 at least if they fit.")
]
Parallel = Annotated[Number, typer.Option("--parallel", help="Answers at once.  [4]")]
KeepAlive = Annotated[
    Text, typer.Option("--keep-alive", help="How long an idle model stays: 90s, 5m, forever.  [5m]")
]
MaxModels = Annotated[Number, typer.Option("--max-models", help="Loaded at once.  [3]")]
Alias = Annotated[
    Words, typer.Option("--alias", help="NAME=MODEL, such as claude-*=e4b; may be repeated.")
]
Drafter = Annotated[Text, typer.Option("--drafter", help="A drafter, lookup or none.  [lookup]")]
Device = Annotated[Text, typer.Option("--device", help="cpu, cuda, cuda:1.  [auto]")]
Dtype = Annotated[Text, typer.Option("--dtype", help="As `gemma4 run` takes it.  [auto]")]
Kernels = Annotated[Text, typer.Option("--kernels", help="As `gemma4 run` takes it.  [auto]")]
Threads = Annotated[Number, typer.Option("--threads", help="Of the processor.  [all cores]")]
KvDtype = Annotated[Text, typer.Option("--kv-dtype", help="Of keys and values: int8, float16, ….")]
KvMemory = Annotated[Text, typer.Option("--kv-memory", help="For keys and values: 4GiB.")]
Cors = Annotated[
    Words, typer.Option("--cors", help="Origin of web pages that may ask, or *; may be repeated.")
]
AllowedHost = Annotated[
    Words, typer.Option("--allowed-host", help="Name that the server answers to; may be repeated.")
]
Metrics = Annotated[
    bool | None, typer.Option("--metrics/--no-metrics", help="Whether /metrics is there.")
]
MediaPath = Annotated[Text, typer.Option("--media-path", help="Folder that file:// URLs may name.")]
FetchMedia = Annotated[
    bool | None, typer.Option("--fetch-media/--no-fetch-media", help="Fetch http(s) URLs of media.")
]
LogPrompts = Annotated[
    bool | None, typer.Option("--log-prompts/--no-log-prompts", help="Log what is asked and said.")
]
Tools = Annotated[
    Words,
    typer.Option("--tools", help="Python file whose functions the page may call; repeatable."),
]
MCP = Annotated[
    Words, typer.Option("--mcp", help="MCP server, command or URL, likewise; may be repeated.")
]
MaxBody = Annotated[Text, typer.Option("--max-body", help="Of a request, unpacked.  [256MiB]")]
QueueLength = Annotated[Number, typer.Option("--queue-length", help="Answers that may wait.  [64]")]
QueueTimeout = Annotated[Text, typer.Option("--queue-timeout", help="For how long.  [10m]")]
LoadTimeout = Annotated[Text, typer.Option("--load-timeout", help="The same for a load.  [10m]")]
RequestTimeout = Annotated[Text, typer.Option("--request-timeout", help="Of one answer.  [none]")]
RequestsPerMinute = Annotated[Number, typer.Option("--requests-per-minute", help="Of one key.")]
TokensPerMinute = Annotated[Number, typer.Option("--tokens-per-minute", help="Of one key.")]
ShutdownSeconds = Annotated[
    Text, typer.Option("--shutdown-seconds", help="For what runs when the server is to end.  [30]")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with any of these.")]
