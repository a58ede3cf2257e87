"""pi: a provider `gemma4` in its models.json.

github.com/earendil-works/pi, packages/coding-agent/docs/models.md.
"""

from ..plan import NO_KEY, Agent, JSONEdit, Places, Plan, Target


def _pi(target: Target, places: Places) -> Plan:
    """Its own default model stays: flags choose ours."""
    model = {
        "id": target.model,
        "name": target.model,
        "reasoning": target.thinks,
        "input": ["text", "image"] if target.sees else ["text"],
        "contextWindow": target.context,
        "maxTokens": target.longest_answer,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }
    provider = {
        "baseUrl": target.openai_url,
        "api": "openai-completions",
        "apiKey": "GEMMA4_API_KEY" if target.key else NO_KEY,
        "models": [model],
    }
    return Plan(
        arguments=("--provider", "gemma4", "--model", target.model),
        environment={"GEMMA4_API_KEY": target.key} if target.key else {},
        files=(
            JSONEdit(
                path=places.folder("PI_CODING_AGENT_DIR", ".pi/agent") / "models.json",
                settings={"providers": {"gemma4": provider}},
            ),
        ),
    )


PI = Agent(program="pi", install="npm install -g @mariozechner/pi-coding-agent", plan=_pi)
