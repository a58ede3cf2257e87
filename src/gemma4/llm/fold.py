"""A whole answer is the fold of its events."""

from collections.abc import Iterable

from .events import Answer, ContentDelta, Event, Finished, ThoughtDelta, ToolCallEvent


def fold(events: Iterable[Event]) -> Answer:
    """Run a stream to its end and put its pieces together."""
    text, thought, calls = [], [], []
    for event in events:
        match event:
            case ContentDelta():
                text.append(event.text)
            case ThoughtDelta():
                thought.append(event.text)
            case ToolCallEvent():
                calls.append(event.call)
            case Finished():
                return Answer(
                    text="".join(text),
                    thought="".join(thought),
                    tool_calls=tuple(calls),
                    finished=event,
                )
    raise AssertionError("a stream ends with Finished")
