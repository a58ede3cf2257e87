"""Names as Ollama writes them: a name without a tag is `name:latest`."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from ..errors import RequestError
from ..shelf import LATEST


def tagged(id: str) -> str:
    """A model's id with a tag."""
    return id if ":" in id.rsplit("/", 1)[-1] else f"{id}{LATEST}"


class NameBody(BaseModel):
    """A body that names a model; `name` is the older word for it."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    name: str | None = None
    stream: bool | None = True

    def wanted(self) -> str:
        """The name without `:latest`.

        Raises:
            RequestError: there is none.
        """
        found = (self.model or self.name or "").strip().removesuffix(LATEST)
        if not found:
            raise RequestError("model is missing; name one", param="model")
        return found


def details(*, format: str, family: str, parameters: int, quantization: str) -> dict[str, Any]:
    """The `details` of a model."""
    return {
        "parent_model": "",
        "format": format,
        "family": family,
        "families": [family] if family else [],
        "parameter_size": _size(parameters),
        "quantization_level": quantization,
    }


def _size(parameters: int) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"
