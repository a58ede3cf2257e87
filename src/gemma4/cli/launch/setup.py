"""An agent's files written, and the agent run."""

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import EnvironmentFault, InputError
from ..output import Output
from .agents.aider import AIDER
from .agents.claude import CLAUDE
from .agents.codex import CODEX
from .agents.continue_dev import CONTINUE
from .agents.opencode import OPENCODE
from .agents.pi import PI
from .agents.qwen import QWEN
from .ledger import Ledger
from .merge import merged_text
from .plan import Agent, JSONEdit, OwnFile, Places, Plan

AGENTS: Mapping[str, Agent] = {
    "codex": CODEX,
    "claude": CLAUDE,
    "opencode": OPENCODE,
    "qwen": QWEN,
    "pi": PI,
    "aider": AIDER,
    "continue": CONTINUE,
}


def find_agent(name: str) -> Agent:
    """An agent by name.

    Raises:
        InputError: it is not known.
    """
    if name not in AGENTS:
        raise InputError(f"there is no agent {name!r}; known are {', '.join(AGENTS)}")
    return AGENTS[name]


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


def find_program(agent: Agent, environ: Mapping[str, str]) -> Path:
    """Where the agent is.

    Raises:
        EnvironmentFault: nowhere; says what installs it.
    """
    found = shutil.which(agent.program, path=environ.get("PATH"))
    if found is None:
        raise EnvironmentFault(f"{agent.program} is not installed; run `{agent.install}`")
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
