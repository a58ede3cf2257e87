"""One file over HTTP: resumed where it was cut, checked by its digest, whole or not there."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub import get_session

from ..errors import DownloadError
from .digests import Digest
from .progress import Progress, Report

_TRANSIENT = (408, 429, 500, 502, 503, 504)
TIMEOUT = httpx2.Timeout(30.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file of a repository: its path there, size in bytes and digest."""

    path: str
    size: int
    digest: Digest


def partial_path(file: RemoteFile, folder: Path) -> Path:
    """Where the bytes of an unfinished file lie; another content has another place."""
    return folder / f"{file.path}.{file.digest.value[:16]}.part"


def bytes_present(file: RemoteFile, folder: Path) -> int:
    """Bytes of a file that earlier runs have left in a folder."""
    for path in (folder / file.path, partial_path(file, folder)):
        if path.is_file():
            return min(path.stat().st_size, file.size)
    return 0


def is_whole(file: RemoteFile, folder: Path) -> bool:
    """Whether the finished file is there, byte for byte."""
    path = folder / file.path
    return (
        path.is_file()
        and path.stat().st_size == file.size
        and file.digest.measure(path) == file.digest.value
    )


def fetch(
    file: RemoteFile,
    folder: Path,
    *,
    url: str,
    headers: Mapping[str, str],
    report: Report,
    retry_delays: tuple[float, ...],
) -> None:
    """Bring one file into a folder.

    Args:
        retry_delays: seconds to wait after each failure in a row that brought no byte.

    Raises:
        DownloadError: the content is not what the repository announced; it is thrown away.
        httpx2.HTTPError: the network or the server failed; what came is kept.
    """
    part = partial_path(file, folder)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        _fill(stream, file, url, headers, report, retry_delays)
        stream.flush()
        os.fsync(stream.fileno())
    if (measured := file.digest.measure(part)) != file.digest.value:
        part.unlink()
        raise DownloadError(
            f"{file.path} came damaged: its {file.digest.kind} is {measured}, the repository says "
            f"{file.digest.value}; it was thrown away, pull again to fetch it anew"
        )
    part.replace(folder / file.path)


def _fill(
    stream: BinaryIO,
    file: RemoteFile,
    url: str,
    headers: Mapping[str, str],
    report: Report,
    retry_delays: tuple[float, ...],
) -> None:
    failures = 0
    if stream.tell() > file.size:
        stream.truncate(0)
    while (start := stream.seek(0, os.SEEK_END)) < file.size:
        report(Progress(file=file.path, done=start, total=file.size))
        try:
            _append(stream, file, url, headers, report)
            failure: Exception = DownloadError(
                f"{url} ended after {stream.tell():,} of {file.size:,} bytes; pull again to go on"
            )
        except httpx2.TransportError as error:
            failure = error
        except httpx2.HTTPStatusError as error:
            if error.response.status_code not in _TRANSIENT:
                raise
            failure = error
        if (reached := stream.seek(0, os.SEEK_END)) >= file.size:
            break
        failures = 0 if reached > start else failures + 1
        if failures > len(retry_delays):
            raise failure
        time.sleep(retry_delays[failures - 1] if failures else 0)
    report(Progress(file=file.path, done=file.size, total=file.size))


def _append(
    stream: BinaryIO, file: RemoteFile, url: str, headers: Mapping[str, str], report: Report
) -> None:
    """Ask for what is missing and write what comes."""
    start = stream.tell()
    asked = {**headers, "Accept-Encoding": "identity"}  # a compressed answer could not be resumed
    if start:
        asked["Range"] = f"bytes={start}-"
    with get_session().stream("GET", url, headers=asked, timeout=TIMEOUT) as response:
        response.raise_for_status()
        if start and response.status_code != 206:  # a server that knows no ranges: from the start
            stream.truncate(0)
        for chunk in response.iter_bytes():  # as it comes: a cut loses nothing that arrived
            stream.write(chunk)
            if (done := stream.tell()) > file.size:
                break  # more than announced: the digest will say so
            report(Progress(file=file.path, done=done, total=file.size))
