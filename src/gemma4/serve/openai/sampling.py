"""Sampling settings as OpenAI's clients send them, and those that others add at the same level."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from ..errors import RequestError


class SamplingFields(BaseModel):
    """Fields of chat completions and completions alike; what is not named here is let pass."""

    model_config = ConfigDict(extra="allow")

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    max_tokens: int | None = None

    def sampling_options(self) -> dict[str, Any]:
        """What was given, as `Sampling` names it.

        Raises:
            RequestError: a token id that is no number.
        """
        names = (
            "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
            "frequency_penalty", "seed", "max_tokens",
        )  # fmt: skip
        options = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.stop:
            options["stop"] = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if self.logit_bias:
            options["logit_bias"] = {_id(key): bias for key, bias in self.logit_bias.items()}
        if options.get("top_k") == -1:  # vLLM's way to say all
            options["top_k"] = 0
        if options.get("max_tokens") == -1:  # llama.cpp's way to say: as many as there is room for
            del options["max_tokens"]
        return options


def _id(key: str) -> int:
    if not key.isdecimal():
        raise RequestError(f"logit_bias names {key!r}, which is no token id", param="logit_bias")
    return int(key)
