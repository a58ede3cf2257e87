"""A first request as Claude Code sends it: its shape, in words of our own.

System blocks that begin with a billing line, a system message among the others, 24 tools without a type whose
schemas use what JSON Schema has, adaptive thinking, and fields that only Anthropic's servers know.
"""

from typing import Any

BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,effort-2025-11-24,advanced-tool-use-2025-11-20,fine-grained-tools"
)
CACHED = {"cache_control": {"type": "ephemeral"}}
_NAMES = (
    "Bash", "Edit", "Glob", "Grep", "Read", "Write", "NotebookEdit", "WebFetch", "WebSearch", "Task",
    "TaskOutput", "TaskStop", "TodoWrite", "AskUserQuestion", "EnterPlanMode", "ExitPlanMode", "Skill",
    "EnterWorktree", "ExitWorktree", "CronCreate", "CronDelete", "CronList", "mcp__git__status", "Monitor",
)  # fmt: skip


def first_request(words: str = "hi", *, cch: str = "74943", **more: Any) -> dict[str, Any]:
    """The body; `cch` is what changes from request to request."""
    billing = f"x-anthropic-billing-header: cc_version=2.1.107.3d9; cc_entrypoint=cli; cch={cch};"
    reminder = "<system-reminder>\nNotes of the project follow.\n</system-reminder>"
    return {
        "model": "scripted",
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": billing},
            {"type": "text", "text": "You are a tool for programmers.", **CACHED},
            {"type": "text", "text": "Rules.\n" + "Be exact and short. " * 120, **CACHED},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": reminder},
                    {"type": "text", "text": words, **CACHED},
                ],
            },
            {"role": "system", "content": "The user reads English."},
        ],
        "tools": [_tool(name) for name in _NAMES],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
        "stream": True,
        **more,
    }


def _tool(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "file_path": {
            "type": "string",
            "description": "A path.",
            "pattern": "^/",
            "format": "path",
        },
        "limit": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991},
        "mode": {"anyOf": [{"const": "content"}, {"type": "null"}]},
        "answers": {
            "type": "object",
            "propertyNames": {"type": "string"},
            "additionalProperties": {"type": "string"},
        },
        "edits": {"type": "array", "minItems": 1, "maxItems": 4, "items": {"type": "string"}},
    }
    return {
        "name": name,
        "description": f"What {name} does, told at length. " * 8,
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": ["file_path"],
            "additionalProperties": False,
        },
    }
