"""Schemas such as coding agents send for their tools; written for these tests."""

from typing import Any

from gemma4.text.messages import Tool

_DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}

BASH = {
    **_DRAFT,
    "type": "object",
    "properties": {
        "command": {"description": "What to run", "type": "string", "maxLength": 60},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 600000},
        "run_in_background": {"type": "boolean", "default": False},
    },
    "required": ["command"],
    "additionalProperties": False,
}
TODO = {
    **_DRAFT,
    "type": "object",
    "properties": {
        "todos": {
            "type": "array",
            "minItems": 1,
            "maxItems": 4,
            "items": {
                "type": "object",
                "properties": {
                    "content": {"type": "string", "minLength": 1, "maxLength": 30},
                    "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                    "id": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                },
                "required": ["content", "status"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["todos"],
    "additionalProperties": False,
}
FETCH = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "format": "uri", "maxLength": 60},
        "since": {"type": ["string", "null"], "format": "date-time"},
        "method": {"const": "GET"},
        "headers": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z-]{0,10}$"},
            "additionalProperties": {"type": "string", "maxLength": 12},
            "maxProperties": 2,
        },
    },
    "required": ["url", "method"],
}
ASK = {
    "type": "object",
    "properties": {
        "questions": {
            "type": "array",
            "maxItems": 2,
            "items": {"$ref": "#/$defs/question"},
        },
        "answers": {
            "type": "object",
            "patternProperties": {"^q[0-9]$": {"type": "boolean"}},
            "additionalProperties": False,
        },
    },
    "required": ["questions"],
    "$defs": {
        "question": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "pattern": "^[A-Z][a-z ]{0,20}\\?$"},
                "kind": {"enum": ["yes/no", "choice", 3, None, True]},
                "follow_up": {"anyOf": [{"$ref": "#/$defs/question"}, {"type": "null"}]},
                "weights": {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}, {"multipleOf": 0.5, "type": "number"}],
                    "items": False,
                },
            },
            "required": ["text", "kind"],
            "additionalProperties": False,
        }
    },
}
EDIT = {
    "type": "object",
    "properties": {
        "file_path": {"type": "string", "maxLength": 20},
        "Old": {"type": "string", "maxLength": 20},
        "new": {"type": "string", "maxLength": 20},
        "odd key:": {"type": "integer", "minimum": -3, "maximum": 12},
        "edit": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"op": {"const": "insert"}, "line": {"type": "integer"}},
                    "required": ["op", "line"],
                },
                {
                    "type": "object",
                    "properties": {"op": {"const": "delete"}},
                    "required": ["op"],
                },
            ]
        },
    },
    "required": ["file_path", "edit"],
    "allOf": [{"required": ["Old"]}],
}
ANYTHING = {"type": "object", "properties": {"value": {}}, "required": ["value"]}

AGENT_SCHEMAS: dict[str, dict[str, Any]] = {
    "bash": BASH,
    "todo_write": TODO,
    "web-fetch": FETCH,
    "mcp__ask.user": ASK,
    "edit": EDIT,
    "anything": ANYTHING,
    "now": {"type": "object", "properties": {}},
    "bare": {},
}


def agent_tools() -> list[Tool]:
    """All as tools."""
    return [
        Tool(name=name, description="", parameters=schema) for name, schema in AGENT_SCHEMAS.items()
    ]
