"""Claude Code: nothing but variables of its environment, so no file of the user is touched.

code.claude.com/docs/en/llm-gateway and code.claude.com/docs/en/env-vars. The attribution header differs with
every request and stands before all else, so that no prefix would be found again: it is turned off.
"""

from ....errors import InputError
from ..plan import NO_KEY, Agent, Places, Plan, Target

_MODELS = (
    "ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL",
)  # fmt: skip


def _claude(target: Target, _: Places) -> Plan:
    """Every one of its models is ours.

    Raises:
        InputError: the model's name has a slash, which Claude Code refuses.
    """
    if "/" in target.model:
        raise InputError(
            f"Claude Code refuses model names with a slash, such as {target.model!r}; give the server an "
            f"alias: `gemma4 serve --alias gemma={target.model}`, then --model gemma"
        )
    return Plan(
        environment={
            "ANTHROPIC_BASE_URL": target.url,
            "ANTHROPIC_AUTH_TOKEN": target.key or NO_KEY,
            "ANTHROPIC_API_KEY": "",
            **dict.fromkeys(_MODELS, target.model),
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(target.longest_answer),
            "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(target.context),
            "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "API_TIMEOUT_MS": "3600000",
        },
    )


CLAUDE = Agent(program="claude", install="npm install -g @anthropic-ai/claude-code", plan=_claude)
