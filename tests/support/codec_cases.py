"""The table of codec cases in tests/data/codec, and what running one gives."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gemma4.text.codec.decoder import Decoder, Vocabulary
from gemma4.text.codec.events import (
    CallBroken,
    CallComplete,
    CodecEvent,
    ContentPiece,
    ThoughtPiece,
)
from gemma4.text.messages import Tool
from gemma4.text.tokens.tokenizer import Tokenizer

DATA = Path(__file__).parents[1] / "data" / "codec"


def _tool(name: str, required: Sequence[str] = (), **properties: dict[str, Any]) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name=name, description="", parameters=schema)


TEXT = {"type": "string"}
TOOLS = (
    _tool("f", ["a"], a=TEXT, b={}, c={"type": ["string", "null"]}),
    _tool("write", ["filepath", "contents"], filepath=TEXT, contents=TEXT),
    _tool("two", ["first", "second"], first={"type": "integer"}, second={"type": "integer"}),
    _tool("create-pdf", title=TEXT),
    _tool("mcp:files:read", path=TEXT),
    Tool(name="any", description=""),
)


def cases(group: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    loaded: list[dict[str, Any]] = json.loads((DATA / f"{group}.json").read_text(encoding="utf-8"))
    return loaded


def pieces_of(tokenizer: Tokenizer, case: dict[str, Any]) -> list[str | int]:
    """Plain texts and special ids; in `pieces` only an item that is a whole marker is special."""
    if "pieces" in case:
        return [tokenizer.special_ids.get(piece, piece) for piece in case["pieces"]]
    return list(tokenizer.split_special(case["text"]))


def events_of(
    tokenizer: Vocabulary, ids: Iterable[int], case: dict[str, Any] | None = None
) -> list[CodecEvent]:
    """Everything a decoder says."""
    case = case or {}
    decoder = Decoder(
        tokenizer,
        tools=TOOLS,
        opens_thought=case.get("opens_thought", False),
        new_call_id=lambda: "id",
    )
    events = [event for token_id in ids for event in decoder.push(token_id)]
    return [*events, *decoder.finish(case.get("finish", "stop"))]


def run(tokenizer: Vocabulary, ids: Iterable[int], case: dict[str, Any]) -> dict[str, Any]:
    """The folded answer, as the table holds it; what is empty is left out."""
    folded: dict[str, Any] = {
        "thought": "",
        "content": "",
        "calls": [],
        "broken": [],
        "notices": [],
    }
    for event in events_of(tokenizer, ids, case):
        match event:
            case ThoughtPiece(text):
                assert text
                folded["thought"] += text
            case ContentPiece(text):
                assert text
                folded["content"] += text
            case CallComplete(call=call, declared=declared):
                entry = {"name": call.name, "arguments": dict(call.arguments)}
                entry |= {"repaired": list(call.repaired)} if call.repaired else {}
                folded["calls"].append(entry | ({} if declared else {"declared": False}))
            case CallBroken(raw=raw, problem=problem, reason=reason):
                folded["broken"].append({"raw": raw, "problem": problem, "reason": reason})
            case _:
                folded["notices"].append(event.message)
    return {key: value for key, value in folded.items() if value}
