"""A first request as Codex sends it: its shape, in words of our own.

Two developer items, seven functions, a name space of tools, a freeform `apply_patch`, OpenAI's web search,
nothing stored, and reasoning that is to come back sealed.
"""

from typing import Any

_FUNCTIONS = (
    "exec_command", "write_stdin", "update_plan", "request_user_input", "view_image", "spawn_agent",
    "list_mcp_resources",
)  # fmt: skip
PATCH_GRAMMAR = 'start: begin_patch hunk+ end_patch\nbegin_patch: "*** Begin Patch" LF'


def first_request(words: str = "hi", **more: Any) -> dict[str, Any]:
    """The body."""
    return {
        "model": "scripted",
        "instructions": "You are a tool for programmers. " + "Be exact and short. " * 60,
        "input": [
            _message("developer", "<permissions>\nThe workspace may be written.\n</permissions>"),
            _message("developer", "<skills>\nNone.\n</skills>"),
            _message("user", "<environment_context>\n<cwd>/work</cwd>\n</environment_context>"),
            _message("user", words),
        ],
        "tools": [
            *(_function(name) for name in _FUNCTIONS),
            {
                "type": "custom",
                "name": "apply_patch",
                "description": "Edits files. This is a FREEFORM tool, do not wrap the patch in JSON.",
                "format": {"type": "grammar", "syntax": "lark", "definition": PATCH_GRAMMAR},
            },
            {
                "type": "namespace",
                "name": "mcp__notes",
                "description": "Notes of the project.",
                "tools": [_function("find"), _function("keep")],
            },
            {"type": "web_search", "external_web_access": False},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199-session",
        "client_metadata": {"x-codex-installation-id": "i"},
        **more,
    }


def _message(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def _function(name: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": f"What {name} does, told at length. " * 6,
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "cmd": {"type": "string", "description": "A command."},
                "yield_time_ms": {"type": "number"},
            },
            "required": ["cmd"],
            "additionalProperties": False,
        },
    }
