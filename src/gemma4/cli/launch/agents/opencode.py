"""opencode: a provider `gemma4` in its global configuration.

opencode.ai/docs/providers (custom providers, `@ai-sdk/openai-compatible`, `limit`), opencode.ai/docs/config.
"""

from ..plan import NO_KEY, Agent, JSONEdit, Places, Plan, Target


def _opencode(target: Target, places: Places) -> Plan:
    """Its own default model stays: `--model gemma4/…` chooses ours."""
    folder = places.folder("XDG_CONFIG_HOME", ".config") / "opencode"
    commented = folder / "opencode.jsonc"
    path = commented if commented.exists() else folder / "opencode.json"
    model = {
        "name": target.model,
        "tool_call": True,
        "reasoning": target.thinks,
        "attachment": target.sees,
        "modalities": {"input": ["text", "image"] if target.sees else ["text"], "output": ["text"]},
        "limit": {"context": target.context, "output": target.longest_answer},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "gemma4",
        "options": {
            "baseURL": target.openai_url,
            "apiKey": "{env:GEMMA4_API_KEY}" if target.key else NO_KEY,
        },
        "models": {target.model: model},
    }
    settings = {"$schema": "https://opencode.ai/config.json", "provider": {"gemma4": provider}}
    return Plan(
        arguments=("--model", f"gemma4/{target.model}"),
        environment={"GEMMA4_API_KEY": target.key} if target.key else {},
        files=(JSONEdit(path=path, settings=settings),),
    )


OPENCODE = Agent(program="opencode", install="npm install -g opencode-ai", plan=_opencode)
