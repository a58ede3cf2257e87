"""The help of every command as one Markdown page: docs/cli.md, written by `scripts/format`."""

import typer.main

from .app import make_app

_WIDTH = 100
_HEAD = """# Command line

Written by `./scripts/format` from the commands' own help; a test keeps it true.

Exit codes: 0 done; 1 the machine's fault, or a check that failed; 2 usage or bad input; 130 interrupted.
Stdout carries results, stderr all else; with `--json` stdout is JSON alone. Environment: `GEMMA4_HOME`
(local store), `GEMMA4_OFFLINE`, `GEMMA4_API_KEY` (of `chat`), `HF_ENDPOINT`, `HF_TOKEN`, `NO_COLOR`.
"""


def reference() -> str:
    """All commands, in the order of `gemma4 -h`."""
    group = typer.main.get_group(make_app())
    parts = [_HEAD]
    top = group.context_class(group, info_name="gemma4", terminal_width=_WIDTH)
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        assert command is not None
        context = command.context_class(
            command, info_name=name, parent=top, terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        parts.append(f"## {name}\n\n```\n{command.get_help(context).strip()}\n```\n")
    return "\n".join(parts)
