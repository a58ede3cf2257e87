"""The body of `POST /v1/completions`, and the texts that it has gone on with."""

from pydantic import Field

from ...llm.question import Continuation
from ..answers import numbered
from ..errors import RequestError
from ..models import Served
from ..settings import ServeSettings
from .chat_body import StreamOptions
from .inputs import Inputs, naming, read_inputs
from .sampling import SamplingFields
from .structured import FormatFields

DEFAULT_TOKENS = 16
"""What OpenAI's API gives to whoever names no number."""


class CompletionBody(SamplingFields, FormatFields):
    """What is not named here is let pass and ignored."""

    model: str | None = None
    prompt: Inputs
    n: int | None = Field(default=1, ge=1)
    best_of: int | None = None
    echo: bool | None = False
    suffix: str | None = None
    logprobs: int | None = Field(default=None, ge=0, le=20)
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with what was used."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def asked(self, settings: ServeSettings, served: Served) -> list[Continuation]:
        """Each prompt as often as answers are wanted, in order.

        Raises:
            RequestError: it cannot be done.
        """
        self._check(settings)
        count, limits = self.n or 1, served.llm.streams.engine.limits
        most = (limits.max_requests + limits.max_waiting) // count
        prompts = read_inputs(self.prompt, served.llm, param="prompt", most=most)
        for ids in prompts:
            with naming("prompt"):
                served.llm.streams.engine.check_length(len(ids))
        format = self.wanted_format()
        options = {"max_tokens": DEFAULT_TOKENS, **self.sampling_options()}
        if self.max_tokens == -1:
            del options["max_tokens"]
        if self.logprobs is not None:
            options["logprobs"] = self.logprobs
        return [
            one
            for ids in prompts
            for one in numbered(Continuation(ids=ids, format=format, options=options), count)
        ]

    def _check(self, settings: ServeSettings) -> None:
        if (self.n or 1) > settings.limits.choices:
            raise RequestError(
                f"n is {self.n}; this server gives at most {settings.limits.choices}", param="n"
            )
        if self.best_of not in (None, self.n or 1):
            raise RequestError(
                f"best_of is {self.best_of}; answers are not compared, ask for n of them",
                param="best_of",
            )
        if self.suffix:
            raise RequestError(
                "suffix: Gemma 4 was not trained to fill in the middle; leave it out, or ask in a chat",
                param="suffix",
            )
