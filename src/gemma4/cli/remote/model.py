"""A model behind a URL, asked as one that is loaded here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from ...engine.sampling import Sampling
from ...errors import InputError, ModelNotFoundError
from ...llm.events import Event, Finished
from ...llm.options import SamplingOptions
from ...llm.question import ToolChoice
from ...llm.thinking import Thinking
from ...text.messages import Message, Tool
from ..chat.turn import OnPrefill
from ..output import align_columns
from .answer import UNKNOWN, RemoteAnswer, RemoteReport
from .body import chat_body
from .server import RemoteServer

if TYPE_CHECKING:
    from ...grammar.formats import Format

_KINDS = {"vision": "image", "video": "video", "audio": "audio"}
_ALL = ("text", "image", "video", "audio")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteInfo:
    """What a server tells of a model; of others than ours, hardly anything.

    Attributes:
        modalities: all kinds where the server does not say: it will refuse what it does not take.
        is_described: whether the server says what the model can do.
    """

    name: str
    modalities: tuple[str, ...] = _ALL
    notes: tuple[str, ...] = ()
    is_described: bool = False


@dataclass(slots=True)
class RemoteModel:
    """Answers conversations by asking a server.

    Attributes:
        defaults: None: what the server does by itself is not known here.
        report: of the last answer.
    """

    server: RemoteServer
    info: RemoteInfo
    defaults: Sampling | None = None
    report: RemoteReport = field(default_factory=RemoteReport)

    def stream(
        self,
        conversation: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice | None = None,
        format: "Format | None" = None,
        thinking: bool | None = None,
        thought_budget: int | None = None,
        image_budget: int | None = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """The events of an answer.

        Raises:
            InputError, EnvironmentFault: it cannot be sent, or the server does not answer.
        """
        if tools or tool_choice is not None:
            raise InputError("tools are for models that are loaded here; use `gemma4 run`")
        del on_prefill  # servers do not tell how far they have read
        if image_budget is not None:
            raise InputError("an image budget cannot be sent to a server; leave it out")
        wanted = None if thinking is None else Thinking(enabled=thinking, budget=thought_budget)
        settings: Mapping[str, Any] = dict(options)
        body = chat_body(
            self.info.name, conversation, thinking=wanted, format=format, options=settings
        )
        answer = RemoteAnswer(
            model=self.info.name,
            url=self.server.url,
            sampling=Sampling(**settings),
            thinking=bool(thinking),
        )
        self.report = answer.report
        return answer.events(self.server.chat(body))

    def stream_text(
        self,
        prompt: str,
        *,
        format: "Format | None" = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """Refused: a conversation with a server always has a template.

        Raises:
            InputError: always.
        """
        del prompt, format, on_prefill, options
        raise InputError("a text is not continued by a server here; use `gemma4 run --raw`")

    def stats(self, finished: Finished) -> list[str]:
        """What the server says of the last answer, and what was measured here."""
        report, usage = self.report, finished.usage
        tokens = (
            f"{usage.prompt_tokens:,} of the prompt ({usage.cached_tokens:,} known from before), "
            f"{usage.completion_tokens:,} of the answer ({usage.thought_tokens:,} of them thought)"
            if report.usage is not None
            else "the server does not count them"
        )
        rows = [
            ("model", f"{finished.model} at {self.server.url}"),
            ("tokens", tokens),
            ("time", f"{report.first:.2f} s to the first piece, {report.total:.2f} s in all"),
        ]
        if report.done:
            rows.append(("device", f"{finished.device}, {finished.dtype}, {finished.kernels}"))
            rows.append(("template", finished.template or UNKNOWN))
            rows.append(("thinking", "on" if finished.thinking else "off"))
        rows.append(("finish", finished.finish_detail or finished.finish_reason))
        return align_columns(rows)


def find_model(server: RemoteServer, wanted: str | None) -> tuple[RemoteInfo, str | None]:
    """The model that is meant, or the server's first; and a remark where it was ours to choose.

    Raises:
        ModelNotFoundError: it lists none, and none was named.
        InputError, EnvironmentFault: it cannot be asked.
    """
    try:
        listed = {str(one["id"]): one for one in server.models()}
    except ModelNotFoundError:
        if wanted is None:
            raise
        return RemoteInfo(name=wanted), None
    if wanted is not None:
        return _info(listed.get(wanted, {"id": wanted})), None
    if not listed:
        raise ModelNotFoundError(f"{server.url} lists no model; name one with --model")
    name, first = next(iter(listed.items()))
    remark = None if len(listed) == 1 else f"model: {name}, the first of {len(listed)}"
    return _info(first), remark


def _info(listed: Mapping[str, Any]) -> RemoteInfo:
    can = listed.get("capabilities")
    name = str(listed["id"])
    if not isinstance(can, list):
        return RemoteInfo(name=name)
    kinds = tuple(kind for word, kind in _KINDS.items() if word in can)
    return RemoteInfo(name=name, modalities=("text", *kinds), is_described=True)
