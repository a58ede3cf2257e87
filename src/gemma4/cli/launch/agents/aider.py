"""aider: variables and flags, and a file of ours that tells the model's limits.

aider.chat/docs/llms/openai-compat.html and aider.chat/docs/config/adv-model-settings.html.
"""

import json

from ..plan import NO_KEY, Agent, OwnFile, Places, Plan, Target


def _aider(target: Target, places: Places) -> Plan:
    """No file of the user is touched."""
    path = places.ours / "aider-models.json"
    name = f"openai/{target.model}"
    limits = {
        "max_input_tokens": target.context,
        "max_output_tokens": target.longest_answer,
        "max_tokens": target.longest_answer,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
        "supports_vision": target.sees,
    }
    return Plan(
        arguments=("--model", name, "--model-metadata-file", str(path)),
        environment={"OPENAI_API_BASE": target.openai_url, "OPENAI_API_KEY": target.key or NO_KEY},
        files=(OwnFile(path=path, text=json.dumps({name: limits}, indent=1) + "\n"),),
    )


AIDER = Agent(
    program="aider", install="python -m pip install aider-install && aider-install", plan=_aider
)
