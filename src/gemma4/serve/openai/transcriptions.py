"""`POST /v1/audio/transcriptions`: what is said in a sound."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from ...media.pieces import cut_sound
from ..answers import Quiet
from ..desk import Desk
from ..errors import RequestError, error_event
from ..responding import StreamedAnswers, while_connected
from .server_events import DONE, PING, event
from .transcribing import Segment, Transcription
from .transcription_form import Filled, TranscriptionForm
from .usage import done_by, usage_of


def transcription_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/audio/transcriptions")
    async def transcriptions(form: Filled, request: Request) -> Response:
        """Write a sound down; with `stream`, as server-sent events."""
        try:
            data = await _uploaded(form, desk)
        finally:
            await form.file.close()  # a large one lies on disk
        going_on = Transcription(desk, form, cut_sound(data))
        found = aiter(going_on)
        try:
            await anext(found)  # what cannot be done is told before the stream opens
        except BaseException:
            await going_on.aclose()
            raise
        if form.stream:
            return StreamedAnswers(going_on, _events(going_on, found))
        try:
            return await while_connected(request, _whole(going_on, found))
        finally:
            await going_on.aclose()

    return router


async def _uploaded(form: TranscriptionForm, desk: Desk) -> bytes:
    """The sound, where everything else is in order."""
    form.check()
    async with desk.models.use(form.model) as served:
        _check_hears(served.id, served.llm.info.modalities)
    data = await form.file.read()
    if not data:
        raise RequestError("file is empty; send a sound", param="file")
    return data


def _check_hears(name: str, modalities: tuple[str, ...]) -> None:
    if "audio" not in modalities:
        raise RequestError(
            f"{name} takes {', '.join(modalities)} but no audio; ask E2B, E4B or 12B", param="model"
        )


async def _whole(going_on: Transcription, found: AsyncIterator[str | Quiet]) -> Response:
    async for _ in found:
        pass
    form = going_on.form
    if form.response_format == "text":
        return PlainTextResponse(going_on.text + "\n")
    body: dict[str, Any] = {"text": going_on.text, "usage": _usage(going_on)}
    if form.response_format == "verbose_json":
        body = {
            "task": "transcribe",
            "language": form.language or "unknown",
            "duration": going_on.seconds,
            "text": going_on.text,
            "segments": [_segment(n, one, form) for n, one in enumerate(going_on.segments)],
            "usage": {"type": "duration", "seconds": going_on.seconds},
        }
    return JSONResponse({**body, "gemma4": _done(going_on)})


async def _events(
    going_on: Transcription, found: AsyncIterator[str | Quiet]
) -> AsyncIterator[bytes]:
    try:
        async for item in found:
            if isinstance(item, Quiet):
                yield PING
            elif item:
                yield event({"type": "transcript.text.delta", "delta": item})
        done = {"usage": _usage(going_on), "gemma4": _done(going_on)}
        yield event({"type": "transcript.text.done", "text": going_on.text, **done})
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield error_event(error)
    yield DONE


def _usage(going_on: Transcription) -> dict[str, Any]:
    """Tokens of all pieces; those of the sound apart from those of the instruction."""
    finished = going_on.finished
    if not finished:
        return {"type": "duration", "seconds": going_on.seconds}
    usage = usage_of(finished, num_prompts=len(finished))
    heard = sum(medium.soft_tokens for one in finished for medium in one.usage.media)
    return {
        "type": "tokens",
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "input_token_details": {
            "audio_tokens": heard,
            "text_tokens": usage["prompt_tokens"] - heard,
        },
    }


def _segment(number: int, segment: Segment, form: TranscriptionForm) -> dict[str, Any]:
    """One piece as OpenAI's segment; a model that writes text gives no probability of silence."""
    start, end = segment.piece.seconds
    return {
        "id": number,
        "seek": int(start * 100),
        "start": start,
        "end": end,
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": form.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": float(segment.piece.is_silent),
    }


def _done(going_on: Transcription) -> dict[str, Any]:
    remarks = going_on.remarks
    pieces = [one.piece.seconds for one in going_on.segments]
    done = done_by(going_on.finished, *remarks) if going_on.finished else {"warnings": remarks}
    return {
        **done,
        "media": [asdict(m) for f in going_on.finished for m in f.usage.media],
        "pieces": pieces,
    }
