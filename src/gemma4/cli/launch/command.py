"""`gemma4 launch`: a coding agent that asks a server of ours."""

import shlex
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ...errors import InputError
from ..output import NoColorOption, Output, QuietOption
from ..session import Session, session_of
from .plan import Places, Plan
from .setup import AGENTS, find_agent, find_program, ledger_of, run_agent, write_files

_DEFAULT_URL = "http://127.0.0.1:8080"


def launch(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help=", ".join(AGENTS))],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]", help="For the agent.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Default: the server's first.")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="Of the server.")] = _DEFAULT_URL,
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="That the server asks for.")
    ] = None,
    config_only: Annotated[
        bool, typer.Option("--config-only", help="Write the configuration, start nothing.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Put back what its files were before.")
    ] = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> int:
    """Set up a coding agent for a server of ours, and start it.

    Its files are changed as little as it allows: a profile or a provider `gemma4` is added, its own default
    stays, and what a file was is kept beside it. Without a server at the address one is started for --model,
    and ended with the agent.

    \b
    Examples:
      gemma4 launch codex --model e4b
      gemma4 launch claude -- -p "What does this project do?"
      gemma4 launch opencode --config-only
      gemma4 launch codex --restore
    """
    from .target import checked_url, is_there, read_target

    session = session_of(context)
    out = session.output(quiet=quiet, no_color=no_color)
    places, known = _places(session), find_agent(agent)
    if restore:
        for line in ledger_of(agent, places).restore() or [f"nothing of {agent} was changed"]:
            out.note(line)
        return 0
    program = None if config_only else find_program(known, places.environ)
    address = checked_url(url)
    with ExitStack() as stack:
        if not is_there(address):
            server = _server(out, places, address, None if config_only else model, api_key)
            stack.enter_context(server)
            model = None if Path(model or "").exists() else model  # the server names a path itself
        plan = known.plan(target := read_target(address, model, api_key), places)
        write_files(out, plan, ledger_of(agent, places))
        if program is None:
            _say_how(out, known.program, plan)
            return 0
        out.note(
            f"{agent} asks {target.model} at {target.url}, {target.context:,} tokens of context"
        )
        return run_agent(program, plan, arguments or [], places.environ)


def _places(session: Session) -> Places:
    settings = session.settings
    return Places(home=settings.user_home, ours=settings.home / "launch", environ=settings.environ)


def _server(
    out: Output, places: Places, url: str, model: str | None, key: str | None
) -> AbstractContextManager[None]:
    """A server while the agent runs. The key goes by a variable: everybody may see command lines."""
    from .server import running, serve_command

    if model is None:
        raise InputError(
            f"no server answers at {url}; start one with `gemma4 serve`, or name a --model and one is "
            "started beside the agent"
        )
    command = serve_command(url, model)
    out.note(f"starting a server: {shlex.join(command)}")
    environ = {**places.environ, **({"GEMMA4_SERVE_API_KEY": key} if key else {})}
    return running(command, url, places.ours / "serve.log", environ)


def _say_how(out: Output, program: str, plan: Plan) -> None:
    """How the agent is started by hand."""
    if plan.note:
        out.note(plan.note)
    out.result(_in_shell(plan.environment) + shlex.join([program, *plan.arguments]))


def _in_shell(environment: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
