"""A conversation as the body of `POST /v1/chat/completions`."""

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import InputError, MediaError, SamplingError
from ...llm.thinking import EFFORTS, Thinking
from ...text.messages import Audio, Image, Message, Part, Text, Video

if TYPE_CHECKING:
    from ...grammar.formats import Format

SENT: Final = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "seed", "stop", "max_tokens", "logit_bias",
)  # fmt: skip
"""Settings that servers have names for; the others are of our own engine."""


def chat_body(
    model: str,
    messages: Sequence[Message],
    *,
    thinking: Thinking | None,
    format: "Format | None",
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The body. What was not set is not sent: the server does as it does by itself.

    Raises:
        SamplingError: a setting that no server knows. MediaError: a file cannot be read.
        InputError: a format that the protocol has no words for.
    """
    return {
        "model": model,
        "messages": [_message(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **_thinking(thinking),
        **_format(format),
        **_settings(options),
    }


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in options.items() if value is not None}
    for key in found:
        if key not in SENT:
            raise SamplingError(
                f"{key} cannot be sent to a server; take it back with `/set {key} default` or without -o"
            )
    if "logit_bias" in found:
        found["logit_bias"] = {str(id): bias for id, bias in found["logit_bias"].items()}
    return found


def _thinking(thinking: Thinking | None) -> dict[str, Any]:
    """Servers with templates read a switch, all others an effort."""
    if thinking is None:
        return {}
    if not thinking.enabled:
        return {
            "reasoning_effort": "none",
            "chat_template_kwargs": {"enable_thinking": False},
        }
    if thinking.word in EFFORTS and thinking.budget is not None:
        return {"reasoning_effort": thinking.word}
    return {"chat_template_kwargs": {"enable_thinking": True}}


def _format(format: "Format | None") -> dict[str, Any]:
    if format is None:
        return {}
    from ...grammar.formats import JsonObject, JsonSchema

    match format:
        case JsonObject():
            return {"response_format": {"type": "json_object"}}
        case JsonSchema():
            schema = {"name": "answer", "schema": format.schema, "strict": format.strict}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
    raise InputError(f"{type(format).__name__} cannot be sent to a server; give json or a schema")


def _message(message: Message) -> dict[str, Any]:
    thought = {"reasoning_content": message.thought} if message.thought else {}
    if all(isinstance(part, Text) for part in message.content):
        return {"role": message.role, "content": message.text, **thought}
    return {"role": message.role, "content": [_part(part) for part in message.content], **thought}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image_url", "image_url": {"url": _data_url(part.source, "image/png")}}
        case Video():
            return {"type": "video_url", "video_url": {"url": _data_url(part.source, "video/mp4")}}
        case Audio():
            head, _, data = _data_url(part.source, "audio/wav").partition(",")
            kind = head.partition("/")[2].partition(";")[0].removeprefix("x-")
            kind = {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav"}.get(kind, kind)
            return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}


def _data_url(source: str | Path | bytes, fallback: str) -> str:
    """A medium's bytes as a `data:` URL; servers read no files of ours."""
    if isinstance(source, str) and source[:5].lower() == "data:":
        return source
    kind, data = fallback, source
    if not isinstance(data, bytes):
        path = Path(data).expanduser()
        kind = mimetypes.guess_type(path.name)[0] or fallback
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MediaError(f"{path} cannot be read: {error.strerror}") from error
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
