"""Files of agents that were changed: what they were before, so that `--restore` can put it back.

<gemma4's data>/launch/codex.json       the record
~/.codex/gemma4.config.toml.before-gemma4   the backup, beside the file
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import EnvironmentFault

_BACKUP = ".before-gemma4"
_ASIDE = ".changed-since"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """A file that we wrote.

    Attributes:
        backup: of what it was; None where there was none.
        written: SHA-256 of what we wrote last.
        edited: somebody else has written to it since we first did.
    """

    path: str
    backup: str | None
    written: str
    edited: bool = False


class Ledger:
    """The changed files of one agent.

    Args:
        record: where they are written down.

    Raises:
        EnvironmentFault: the record is damaged.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._changed = {one.path: one for one in _read(record)}

    def write(self, path: Path, text: str) -> Path | None:
        """Write a file in one step; the first time what it was is kept beside it, and returned."""
        before = path.read_bytes() if path.exists() else None
        known = self._changed.get(str(path))
        edited = known is not None and before is not None and _digest(before) != known.written
        backup = None if known is None else known.backup
        if known is None and before is not None:
            kept = _free(path.with_name(path.name + _BACKUP))
            write_whole(kept, before)
            backup = str(kept)
        data = text.encode()
        self._changed[str(path)] = Changed(
            path=str(path),
            backup=backup,
            written=_digest(data),
            edited=edited or (known is not None and known.edited),
        )
        self._save()  # first: a crash between the two loses nothing
        write_whole(path, data)
        return Path(backup) if backup is not None and known is None else None

    def restore(self) -> list[str]:
        """Put everything back; what others have changed meanwhile is kept beside it. Says what was done."""
        said = [self._put_back(one) for one in self._changed.values()]
        self._changed = {}
        self._record.unlink(missing_ok=True)
        return said

    def _put_back(self, one: Changed) -> str:
        path = Path(one.path)
        aside = ""
        if path.exists() and (one.edited or _digest(path.read_bytes()) != one.written):
            kept = _free(path.with_name(path.name + _ASIDE))
            path.rename(kept)
            aside = f"; it was changed since, that is kept in {kept}"
        if one.backup is None:
            path.unlink(missing_ok=True)
            return f"{path} is gone, as before{aside}"
        if not Path(one.backup).exists():
            return f"{path} stays as it is: its backup {one.backup} is gone{aside}"
        Path(one.backup).replace(path)
        return f"{path} is what it was{aside}"

    def _save(self) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(one) for one in self._changed.values()], indent=1)
        write_whole(self._record, text.encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, with the rights of the one it replaces; a link is followed."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    number, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        if path.exists():
            Path(draft).chmod(path.stat().st_mode & 0o777)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _free(path: Path) -> Path:
    """The path, or one with a number that nothing has yet."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.name}-{number}"), number + 1
    return free


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(record: Path) -> list[Changed]:
    if not record.exists():
        return []
    try:
        return [Changed(**one) for one in json.loads(record.read_text())]
    except (ValueError, TypeError) as error:
        raise EnvironmentFault(
            f"{record} is damaged: {error}; the backups stand beside the agent's files, their names end "
            f"with {_BACKUP}: put them back by hand and remove the record"
        ) from error
