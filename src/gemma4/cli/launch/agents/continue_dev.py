"""Continue: a configuration of its own among the user's local ones; JSON is YAML.

docs.continue.dev/reference (config.yaml); files in ~/.continue/configs are profiles to choose from
(github.com/continuedev/continue, pull request 11935). Its command line takes one by `--config`.
"""

import json

from ..plan import NO_KEY, Agent, OwnFile, Places, Plan, Target


def _continue(target: Target, places: Places) -> Plan:
    """A profile `gemma4`; the user's own config.yaml is not touched."""
    path = places.folder("CONTINUE_GLOBAL_DIR", ".continue") / "configs" / "gemma4.yaml"
    model = {
        "name": target.model,
        "provider": "openai",
        "model": target.model,
        "apiBase": target.openai_url,
        "apiKey": target.key or NO_KEY,
        "roles": ["chat", "edit", "apply", "summarize"],
        "capabilities": ["tool_use", *(["image_input"] if target.sees else [])],
        "defaultCompletionOptions": {
            "contextLength": target.context,
            "maxTokens": target.longest_answer,
        },
    }
    config = {"name": "gemma4", "version": "1.0.0", "schema": "v1", "models": [model]}
    text = "# Written by `gemma4 launch continue`.\n" + json.dumps(config, indent=2) + "\n"
    return Plan(
        arguments=("--config", str(path)),
        files=(OwnFile(path=path, text=text),),
        note="in an editor: choose the configuration gemma4 in Continue's side bar",
    )


CONTINUE = Agent(program="cn", install="npm install -g @continuedev/cli", plan=_continue)
