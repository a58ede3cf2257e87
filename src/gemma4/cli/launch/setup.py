"""An agent's files written, and the agent run."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import EnvironmentFault, InputError
from ..output import Output
from .agents.aider import plan_aider
from .agents.claude import plan_claude
from .agents.codex import plan_codex
from .agents.continue_dev import plan_continue
from .agents.opencode import plan_opencode
from .agents.pi import plan_pi
from .agents.qwen import plan_qwen
from .ledger import Ledger
from .merge import merged_text
from .plan import JSONEdit, OwnFile, Places, Plan, Target

AGENTS: Mapping[str, Callable[[Target, Places], Plan]] = {
    "codex": plan_codex,
    "claude": plan_claude,
    "opencode": plan_opencode,
    "qwen": plan_qwen,
    "pi": plan_pi,
    "aider": plan_aider,
    "continue": plan_continue,
}


def planner(agent: str) -> Callable[[Target, Places], Plan]:
    """How an agent is set up.

    Raises:
        InputError: it is not known.
    """
    if agent not in AGENTS:
        raise InputError(f"there is no agent {agent!r}; known are {', '.join(AGENTS)}")
    return AGENTS[agent]


def ledger_of(agent: str, places: Places) -> Ledger:
    """Its changed files."""
    return Ledger(places.ours / f"{agent}.json")


def write_files(out: Output, plan: Plan, ledger: Ledger) -> None:
    """Write all files of a plan, or none.

    Raises:
        InputError: a file of the user into which nothing can be merged.
    """
    texts = [(edit.path, _text(edit)) for edit in plan.files]
    for path, text in texts:
        backup = ledger.write(path, text)
        out.note(f"wrote {path}" + (f"; what it was is in {backup}" if backup else ""))


def _text(edit: OwnFile | JSONEdit) -> str:
    if isinstance(edit, OwnFile):
        return edit.text
    return merged_text(edit, edit.path.read_text() if edit.path.exists() else None)


def find_program(plan: Plan, environ: Mapping[str, str]) -> Path:
    """Where the agent is.

    Raises:
        EnvironmentFault: nowhere; says what installs it.
    """
    found = shutil.which(plan.program, path=environ.get("PATH"))
    if found is None:
        raise EnvironmentFault(f"{plan.program} is not installed; run `{plan.install}`")
    return Path(found)


def run_agent(
    program: Path, plan: Plan, arguments: Sequence[str], environ: Mapping[str, str]
) -> int:
    """Run it in this terminal to its end; Ctrl-C is its own affair. Returns its exit code."""
    before = signal.signal(
        signal.SIGINT, lambda *_: None
    )  # a started program does not inherit that
    try:
        done = subprocess.run(
            [program, *plan.arguments, *arguments],
            env={**environ, **plan.environment},
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode
