"""What each model of a server is: from its files' headers, or where there are none from what is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...config import DrafterConfig, ModelConfig
from ...errors import Gemma4Error
from ...fit.counts import count_parameters, counted_tensors
from ...hub.licence_text import read_licence
from ...hub.names import resolve
from ...hub.store import Store
from ...llm.assets import read_template_source
from ...llm.card import describe_model
from ...weights.open_checkpoint import open_checkpoint
from ..capabilities import capabilities_of
from ..models import Served
from ..shelf import Known
from .names import details

_WORDS = {"completion": "completion", "image": "vision", "audio": "audio", "video": "video",
          "tools": "tools", "thinking": "thinking"}  # fmt: skip
_FORMATS = {"huggingface": "safetensors"}
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A model's description, but for what changes while it is served.

    Attributes:
        sampling: what the checkpoint recommends.
        config: None where the files could not be read.
    """

    details: Mapping[str, Any]
    capabilities: tuple[str, ...] = ()
    template: str = ""
    licence: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    config: ModelConfig | DrafterConfig | None = None
    problem: str | None = None

    @property
    def parameters(self) -> int:
        """How many there are in all."""
        return 0 if self.config is None else count_parameters(counted_tensors(self.config))


class Cards:
    """Cards by content: headers of a model are read once, which may take a second.

    Its methods are for a thread, not for the event loop.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cards: dict[tuple[str, int, int], Card] = {}

    def of(self, known: Known, served: Served | None) -> Card:
        """The card of a model, loaded or not; a damaged one has a card that says so."""
        key = (known.id, known.created, known.size_bytes)
        card = self._cards.get(key)
        if card is None:
            try:
                card = _of_files(known, self._store)
            except (Gemma4Error, OSError) as error:
                if served is not None:
                    return _of_loaded(served)
                return Card(details=_no_details(known), problem=str(error))
            self._cards[key] = card
        return card


def _of_files(known: Known, store: Store) -> Card:
    path = resolve(known.source, store)
    described = describe_model(known.id, path, known.manifest)
    checkpoint = open_checkpoint(path)
    licence = "\n\n".join(read_licence(store, known.manifest, path).values())
    can = described["capabilities"]
    return Card(
        details=details(
            format=_FORMATS.get(described["format"], described["format"]),
            family=described["architecture"],
            parameters=described["parameters"]["total"],
            quantization=described["quantization"],
        ),
        capabilities=tuple(_WORDS[word] for word in can if word in _WORDS),
        template=read_template_source(checkpoint) or "",
        licence=licence or str(described["licence"] or ""),
        sampling=_sampling(described["sampling"] or {}),
        config=checkpoint.config,
    )


def _of_loaded(served: Served) -> Card:
    llm = served.llm
    given = {name: getattr(llm.defaults, name) for name in _SAMPLING}
    return Card(
        details=details(
            format="",
            family=llm.config.family,
            parameters=count_parameters(counted_tensors(llm.config)),
            quantization=llm.info.dtype,
        ),
        capabilities=tuple(capabilities_of(llm)),
        sampling=_sampling(given),
        config=llm.config,
    )


def _sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _SAMPLING if given.get(name) is not None}


def _no_details(known: Known) -> dict[str, Any]:
    label = known.manifest.quantization if known.manifest else ""
    return details(format="", family="", parameters=0, quantization=label)
