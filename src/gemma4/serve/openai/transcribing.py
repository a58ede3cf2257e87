"""A sound of any length written down: its pieces are asked one after the other, and their texts joined."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from ...errors import MediaError
from ...llm.events import ContentDelta, Finished, TokenLogprob
from ...llm.transcription import transcription_question
from ...media.pieces import Piece
from ..answers import Quiet
from ..desk import Answers, Desk
from .transcription_form import TranscriptionForm


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """What is said in one piece; `finished` is None where there was no sound to ask about."""

    piece: Piece
    text: str
    finished: Finished | None = None

    @property
    def tokens(self) -> list[int]:
        """Ids of its text."""
        return [one.id for one in self._scored]

    @property
    def avg_logprob(self) -> float:
        """How sure the model was, from 0 downwards; 0 where nothing was said."""
        scores = [one.logprob for one in self._scored]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def compression_ratio(self) -> float:
        """Bytes of the text by its bytes when compressed: high where words repeat themselves."""
        data = self.text.encode()
        return len(data) / len(zlib.compress(data)) if data else 0.0

    @property
    def _scored(self) -> tuple[TokenLogprob, ...]:
        return () if self.finished is None else self.finished.logprobs or ()


@dataclass(slots=True)
class Transcription:
    """One sound, while it is written down.

    Attributes:
        text: so far. segments: of the pieces that are done.
    """

    desk: Desk
    form: TranscriptionForm
    pieces: Iterator[Piece]
    text: str = ""
    segments: list[Segment] = field(default_factory=list)
    _answers: Answers | None = None

    async def __aiter__(self) -> AsyncIterator[str | Quiet]:
        """Pieces of text as they come; an empty one once the first question was accepted.

        Raises:
            MediaError, EnvironmentFault: the sound is damaged, or the model is gone.
        """
        while (piece := await asyncio.to_thread(self._next_piece)) is not None:
            if piece.is_silent:
                self.segments.append(Segment(piece=piece, text=""))
                continue
            async for found in self._piece(piece):
                yield found
        if not self.text:
            yield ""

    async def aclose(self) -> None:
        """Cancel what is not over; to be called in any case."""
        if self._answers is not None:
            await self._answers.aclose()

    @property
    def finished(self) -> list[Finished]:
        """Of the pieces that were asked about."""
        return [one.finished for one in self.segments if one.finished is not None]

    @property
    def seconds(self) -> float:
        """Of the sound so far."""
        return self.segments[-1].piece.seconds[1]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was done to the sound, and where a text may be incomplete."""
        return tuple(self._remarks())

    async def _piece(self, piece: Piece) -> AsyncIterator[str | Quiet]:
        question = transcription_question(
            piece.wav(),
            language=self.form.language,
            hint=self.form.prompt,
            temperature=self.form.temperature,
            logprobs=0,
        )
        answers = self._answers = await self.desk.ask(self.form.model, lambda _: question)
        yield ""
        said = held = ""
        try:
            async for _, item in answers:
                match item:
                    case Quiet():
                        yield item
                    case ContentDelta():
                        text = held + item.text if said else item.text.lstrip()
                        shown = text.rstrip()  # a piece ends in its last word
                        held = text[len(shown) :]
                        if shown:
                            space = " " if self.text and not said else ""
                            said += shown
                            self.text += space + shown
                            yield space + shown
                    case Finished():
                        self.segments.append(Segment(piece=piece, text=said, finished=item))
        finally:
            await answers.aclose()

    def _next_piece(self) -> Piece | None:
        try:
            return next(self.pieces, None)
        except MediaError as error:
            raise MediaError(str(error), where="file") from error

    def _remarks(self) -> Iterator[str]:
        if len(self.segments) > 1:
            yield (
                f"the sound of {self.seconds:.1f} s was cut into {len(self.segments)} pieces, each "
                "was transcribed by itself, and their texts were joined with a space"
            )
        for number, segment in enumerate(self.segments):
            start, end = segment.piece.seconds
            where = f"piece {number} ({start:.1f} to {end:.1f} s)"
            if segment.piece.cut_in_sound:
                yield f"{where} ends where it is not quiet: a word may be cut"
            if segment.finished is None:
                yield f"{where} is silent and was not asked about"
            elif segment.finished.finish_reason != "stop":
                yield f"{where}: {segment.finished.finish_detail}"
