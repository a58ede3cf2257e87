"""The form of `POST /v1/audio/transcriptions`."""

from typing import Annotated

from fastapi import Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from ..errors import RequestError


class TranscriptionForm(BaseModel):
    """What is not named here is let pass and ignored."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    file: UploadFile
    model: str | None = None
    language: str | None = None
    prompt: str | None = None
    response_format: str = "json"
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    stream: bool = False
    granularities: list[str] = Field(default=[], alias="timestamp_granularities[]")

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            RequestError: naming it.
        """
        if self.response_format not in ("json", "text", "verbose_json"):
            raise RequestError(
                f"response_format is {self.response_format!r}; it must be json, text or verbose_json",
                param="response_format",
            )
        if "word" in self.granularities:
            raise RequestError(
                "timestamp_granularities: the model knows no times of words; ask for segment",
                param="timestamp_granularities[]",
            )


Filled = Annotated[TranscriptionForm, Form()]
