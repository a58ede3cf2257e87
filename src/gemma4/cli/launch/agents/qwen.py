"""Qwen Code: a model of its provider `openai`, and the address by flags.

qwenlm.github.io/qwen-code-docs/en/users/configuration/model-providers and …/configuration/settings.
"""

from ..plan import NO_KEY, Agent, JSONEdit, Places, Plan, Target

_KEY = "GEMMA4_API_KEY"


def _qwen(target: Target, places: Places) -> Plan:
    """Its own default model stays: flags choose ours."""
    model = {
        "id": target.model,
        "name": f"{target.model} (gemma4)",
        "baseUrl": target.openai_url,
        "envKey": _KEY,
        "generationConfig": {
            "timeout": 3_600_000,
            "contextWindowSize": target.context,
            "samplingParams": {"max_tokens": target.longest_answer},
        },
    }
    return Plan(
        arguments=("--auth-type", "openai", "--model", target.model),
        environment={_KEY: target.key or NO_KEY},
        files=(
            JSONEdit(
                path=places.folder("QWEN_HOME", ".qwen") / "settings.json",
                settings={"modelProviders": {"openai": [model]}},
            ),
        ),
    )


QWEN = Agent(program="qwen", install="npm install -g @qwen-code/qwen-code", plan=_qwen)
