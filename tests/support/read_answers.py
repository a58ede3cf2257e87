"""Answers read back with the codec, and validated by a library that had no part in making them."""

from collections.abc import Sequence
from typing import Any

import jsonschema
from held_answers import tokenizer

from gemma4.text.codec.decoder import Decoder
from gemma4.text.codec.events import CallComplete, CodecEvent, ContentPiece, ThoughtPiece
from gemma4.text.messages import Tool


def events(
    ids: Sequence[int], tools: Sequence[Tool] = (), *, opens_thought: bool = False
) -> list[CodecEvent]:
    """What the codec reads."""
    decoder = Decoder(tokenizer(), tools=tools, opens_thought=opens_thought)
    found = [event for id in ids for event in decoder.push(id)]
    return [*found, *decoder.finish("stop")]


def content(found: Sequence[CodecEvent]) -> str:
    """The answer's words."""
    return "".join(event.text for event in found if isinstance(event, ContentPiece))


def thought(found: Sequence[CodecEvent]) -> str:
    """The thought's words."""
    return "".join(event.text for event in found if isinstance(event, ThoughtPiece))


def valid_calls(found: Sequence[CodecEvent], tools: Sequence[Tool]) -> list[str]:
    """The names of the calls, each as documented, to a declared tool, its arguments valid."""
    schemas = {tool.name: tool.parameters for tool in tools}
    names = []
    for event in found:
        if isinstance(event, CallComplete):
            assert event.declared
            assert not event.call.repaired, event
            validate(dict(event.call.arguments), schemas[event.call.name])
            names.append(event.call.name)
    return names


def validate(value: Any, schema: Any) -> None:
    """Raise if a value does not fit a schema, formats included."""
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(value)
