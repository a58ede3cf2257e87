"""Codex CLI: a profile of its own, and a catalogue that tells the model's limits.

Profiles are files beside config.toml (developers.openai.com/codex/config-advanced); providers, `wire_api` and
`model_catalog_json`: developers.openai.com/codex/config-reference. Tried with 0.169.
"""

import json

from ..plan import Agent, OwnFile, Places, Plan, Target

_PROFILE = "gemma4"
_INSTRUCTIONS = """\
You are Codex, a coding agent in the user's terminal. You share one workspace with the user.

Work on the task until it is done: look at the files that matter, change what has to change, and run
what shows that it works. Use the tools for that; never say that you did something you did not do.
Keep changes small and in the style of the code around them. Leave alone what you were not asked to
touch, and never undo changes that are not yours. Ask only if you cannot find out by yourself.
At the end say briefly what you did and what is left to do.
"""


def _codex(target: Target, places: Places) -> Plan:
    """A profile `gemma4`: `codex --profile gemma4` works without us, too."""
    folder = places.folder("CODEX_HOME", ".codex")
    catalogue = folder / "gemma4-models.json"
    profile = [
        "# Written by `gemma4 launch codex`; `gemma4 launch codex --restore` takes it back.",
        f"model = {json.dumps(target.model)}",
        f'model_provider = "{_PROFILE}"',
        f"model_context_window = {target.context}",
        f"model_catalog_json = {json.dumps(str(catalogue))}",
        'web_search = "disabled"',
        "",
        f"[model_providers.{_PROFILE}]",
        'name = "gemma4"',
        f"base_url = {json.dumps(target.openai_url)}",
        'wire_api = "responses"',
        "stream_idle_timeout_ms = 3600000",
        *(['env_key = "GEMMA4_API_KEY"'] if target.key else []),
    ]
    return Plan(
        arguments=("--profile", _PROFILE),
        environment={"GEMMA4_API_KEY": target.key} if target.key else {},
        files=(
            OwnFile(path=catalogue, text=json.dumps(_catalogue(target), indent=1) + "\n"),
            OwnFile(path=folder / f"{_PROFILE}.config.toml", text="\n".join(profile) + "\n"),
        ),
    )


def _catalogue(target: Target) -> dict[str, object]:
    """What Codex would look up of a model that it knows; all that our server has no part in is off."""
    return {
        "models": [
            {
                "slug": target.model,
                "display_name": target.model,
                "description": "Gemma on this machine",
                "default_reasoning_level": "low" if target.thinks else None,
                "supported_reasoning_levels": _levels(target),
                "shell_type": "unified_exec",
                "visibility": "list",
                "supported_in_api": True,
                "priority": 1,
                "base_instructions": _INSTRUCTIONS,
                "supports_reasoning_summaries": target.thinks,
                "support_verbosity": False,
                "truncation_policy": {"mode": "tokens", "limit": min(10_000, target.context // 4)},
                "supports_parallel_tool_calls": True,
                "context_window": target.context,
                "max_context_window": target.context,
                "input_modalities": ["text", "image"] if target.sees else ["text"],
                "experimental_supported_tools": [],
            }
        ]
    }


def _levels(target: Target) -> list[dict[str, str]]:
    words = {"low": "Thinks briefly", "medium": "Thinks", "high": "Thinks as long as it takes"}
    found = [{"effort": effort, "description": text} for effort, text in words.items()]
    return found if target.thinks else []


CODEX = Agent(program="codex", install="npm install -g @openai/codex", plan=_codex)
