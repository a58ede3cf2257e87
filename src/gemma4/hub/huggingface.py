"""Models from the Hugging Face hub: what a repository holds, and its files into the store."""

import os
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from huggingface_hub import HfApi, get_session

from ..errors import DownloadError
from .digests import Digest, sha256_of
from .disk import explaining_full_disk, require_space
from .faults import explaining_hub
from .manifest import Manifest, Source, StoredFile, check_relative_path
from .progress import Progress, Report
from .selection import Choice, is_licence_file, label_of_model, select_files
from .store import Store
from .transfer import RemoteFile, bytes_present, fetch, is_whole, partial_path

RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between attempts that bring nothing; then the download fails, to be resumed."""

_NEWEST = Choice()


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """A hub and who asks. `token` goes only to the hub itself, never to where it redirects."""

    endpoint: str
    token: str | None = None
    retry_delays: tuple[float, ...] = RETRY_DELAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a pull would fetch.

    Attributes:
        name: the model's name in the store.
        source: with the full commit, so that all files are of one moment.
        licence: as the repository names it, or `unknown`.
    """

    name: str
    source: Source
    licence: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def missing_bytes(self, folder: Path) -> int:
        """Bytes still to come when earlier runs have left theirs in a folder."""
        return self.size - sum(bytes_present(file, folder) for file in self.files)


def probe(hub: Hub) -> None:
    """Ask a hub for a sign of life.

    Raises:
        DownloadError: it cannot be reached or does not answer as a hub does.
    """
    with _explaining(hub, "", None):
        response = get_session().get(f"{hub.endpoint}/api/models", params={"limit": 1}, timeout=10)
        response.raise_for_status()


def plan_pull(hub: Hub, repository: str, *, name: str, choice: Choice = _NEWEST) -> Plan:
    """Ask the hub what a repository holds, and choose.

    Raises:
        ModelNotFoundError: no such repository, revision or quantization, or no weights in it.
        DownloadError: the hub cannot be reached, fails, or wants consent to a licence first.
    """
    with _explaining(hub, repository, choice.revision):
        info = HfApi(endpoint=hub.endpoint, token=hub.token or False).model_info(
            repository, revision=choice.revision, files_metadata=True, timeout=30.0
        )
    found = {entry.rfilename: entry for entry in info.siblings or ()}
    chosen = select_files(sorted(found), choice, repository)
    if not info.sha:
        raise DownloadError(f"{hub.endpoint} names no commit for {repository}; is it a hub?")
    return Plan(
        name=name,
        source=Source(kind="huggingface", location=repository, revision=info.sha),
        licence=_licence(info),
        files=tuple(_remote_file(found[path], repository) for path in chosen),
    )


def pull(hub: Hub, plan: Plan, store: Store, *, report: Report) -> Manifest:
    """Bring a model into the store, going on where an earlier run stopped.

    Raises:
        DownloadError: the network or the hub failed; what was fetched is kept.
        EnvironmentFault: the disk is too small or full.
        LockedError: another process is pulling the same model.
    """
    with store.lock(plan.name):
        if (manifest := find_current(plan, store)) is not None:
            return manifest
        draft = store.partial(plan.name)
        draft.mkdir(parents=True, exist_ok=True)
        _reuse_unchanged(plan, store, draft)
        missing = plan.missing_bytes(draft)
        require_space(draft, missing)
        with explaining_full_disk(draft, needed=missing):
            for file in plan.files:
                _bring(hub, plan, file, draft, report)
            manifest = _finish(plan, draft)
            store.install(manifest)
    return manifest


def _bring(hub: Hub, plan: Plan, file: RemoteFile, draft: Path, report: Report) -> None:
    if is_whole(file, draft):
        report(Progress(file=file.path, done=file.size, total=file.size))
        return
    repository, revision = plan.source.location, plan.source.revision
    url = f"{hub.endpoint}/{repository}/resolve/{revision}/{quote(file.path)}"
    with _explaining(hub, repository, revision, is_known=True):
        fetch(
            file,
            draft,
            url=url,
            headers={"Authorization": f"Bearer {hub.token}"} if hub.token else {},
            report=report,
            retry_delays=hub.retry_delays,
        )


def find_current(plan: Plan, store: Store) -> Manifest | None:
    """The model in the store if it is what the plan would bring, else None."""
    manifest = store.find(plan.name)
    if manifest is None or manifest.source != plan.source or store.check(manifest):
        return None
    same = {file.path for file in manifest.files} == {file.path for file in plan.files}
    return manifest if same else None


def _reuse_unchanged(plan: Plan, store: Store, draft: Path) -> None:
    """Link files that an older revision in the store shares with the new one."""
    old = store.find(plan.name)
    known = {file.sha256: file.path for file in old.files} if old else {}
    for file in plan.files:
        target = draft / file.path
        source = store.folder(plan.name) / known.get(file.digest.value, "")
        if source.is_file() and not target.exists() and not partial_path(file, draft).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # a disk without links: the file is fetched like any other
                os.link(source, target)


def _finish(plan: Plan, draft: Path) -> Manifest:
    """Describe the finished download and sweep out what does not belong to it."""
    paths = [file.path for file in plan.files]
    keep = {draft / path for path in paths}
    for leftover in [p for p in draft.rglob("*") if p.is_file() and p not in keep]:
        leftover.unlink()
    return Manifest(
        name=plan.name,
        source=plan.source,
        licence=plan.licence,
        licence_files=tuple(path for path in paths if is_licence_file(path)),
        quantization=label_of_model(draft, paths),
        pulled=datetime.now(UTC).isoformat(timespec="seconds"),
        files=tuple(
            StoredFile(path=f.path, size=f.size, sha256=_sha256(f, draft)) for f in plan.files
        ),
    )


def _sha256(file: RemoteFile, draft: Path) -> str:
    return file.digest.value if file.digest.kind == "sha256" else sha256_of(draft / file.path)


def _remote_file(entry: Any, repository: str) -> RemoteFile:
    try:
        path = check_relative_path(entry.rfilename)
    except ValueError as error:
        raise DownloadError(f"{repository}: {error}; do not trust this repository") from error
    if entry.lfs is not None:
        return RemoteFile(
            path=path, size=entry.lfs.size, digest=Digest(kind="sha256", value=entry.lfs.sha256)
        )
    if entry.size is None or entry.blob_id is None:
        raise DownloadError(f"the hub gives no size or digest for {path} of {repository}")
    return RemoteFile(
        path=path, size=entry.size, digest=Digest(kind="git-sha1", value=entry.blob_id)
    )


def _licence(info: Any) -> str:
    card = info.card_data.get("license") if info.card_data else None
    tags = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    found = card or (tags[0] if tags else "unknown")
    return ", ".join(found) if isinstance(found, list) else str(found)


def _explaining(
    hub: Hub, repository: str, revision: str | None, *, is_known: bool = False
) -> AbstractContextManager[None]:
    return explaining_hub(
        hub.endpoint,
        repository,
        revision=revision,
        has_token=hub.token is not None,
        is_known=is_known,
    )
