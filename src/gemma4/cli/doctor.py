"""`gemma4 doctor`: is this machine fit to run models, and if not, what to do."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from . import checks
from .checks import Check
from .output import JsonOption, NoColorOption, Output, QuietOption
from .session import Session, session_of

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file: all checksums.")] = False,
    network: Annotated[
        bool, typer.Option("--network", help="Ask the model hub whether it answers.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Check the machine, the libraries and the downloaded models.

    Each line is ok, warn or fail, with a remedy. Exits with 1 if one fails. Nothing leaves this
    machine without --network. With -q, only what is not ok.

    \b
    Examples:
      gemma4 doctor
      gemma4 doctor --deep
      gemma4 doctor --json
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    found: list[Check] = []
    for check in _all_checks(session, deep=deep, network=network):
        found.append(check)
        if not out.as_json and not (quiet and check.status == "ok"):
            _print(out, check)
    failed = any(check.status == "fail" for check in found)
    if out.as_json:
        out.data({"ok": not failed, "checks": [asdict(check) for check in found]})
    if failed:
        raise typer.Exit(1)


def _all_checks(session: Session, *, deep: bool, network: bool) -> Iterator[Check]:
    yield checks.check_python()
    torch = checks.check_torch()
    yield torch
    if torch.status != "fail":
        yield checks.check_cpu()
        yield checks.check_kernels()
        yield checks.check_gpu()
    yield checks.check_memory()
    yield checks.check_media()
    yield checks.check_peers()
    yield checks.check_disk(session.store)
    yield from checks.check_store(session.store, deep=deep)
    if network:
        yield checks.check_network(session.settings.endpoint, offline=session.settings.offline)


def _print(out: Output, check: Check) -> None:
    status = out.paint(f"{check.status:<4}", _COLORS[check.status])
    out.result(f"{status}   {check.name:<8}   {check.detail}")
    if check.remedy:
        out.result(f"{'':<18}→ {check.remedy}")
