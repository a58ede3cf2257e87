"""The local store: whole models only, whatever happens."""

import json
from pathlib import Path

import pytest

from gemma4.errors import CheckpointError, LockedError, ModelNotFoundError
from gemma4.hub.digests import Digest, sha256_of
from gemma4.hub.manifest import Manifest, Source, StoredFile, read_manifest
from gemma4.hub.store import Store

WEIGHTS = b"weights"


def fill_draft(store: Store, name: str, content: bytes = WEIGHTS) -> Manifest:
    """A finished download that waits to be installed."""
    draft = store.partial(name)
    draft.mkdir(parents=True)
    path = draft / "model.safetensors"
    path.write_bytes(content)
    return Manifest(
        name=name,
        source=Source(kind="huggingface", location="google/gemma", revision="f" * 40),
        licence="apache-2.0",
        quantization="BF16",
        pulled="2026-01-02T03:04:05+00:00",
        files=(StoredFile(path=path.name, size=len(content), sha256=sha256_of(path)),),
    )


def test_a_manifest_comes_back_as_it_was_written(store: Store) -> None:
    manifest = fill_draft(store, "google/gemma-4-E2B-it")
    folder = store.install(manifest)
    assert read_manifest(folder) == manifest
    assert store.find("google/gemma-4-E2B-it") == manifest


def test_a_model_appears_in_one_step_and_its_download_goes(store: Store) -> None:
    manifest = fill_draft(store, "e2b:it")
    assert store.find("e2b:it") is None
    store.install(manifest)
    assert not store.partial("e2b:it").exists()
    assert store.check(manifest, deep=True) == ()


def test_a_new_version_replaces_the_old(store: Store) -> None:
    store.install(fill_draft(store, "e2b:it", b"old"))
    old = store.find("e2b:it")
    store.install(fill_draft(store, "e2b:it", b"new"))
    new = store.find("e2b:it")
    assert old is not None
    assert new is not None
    assert old.id != new.id
    assert [path.name for path in (store.root / "models").iterdir()] == ["e2b@it"]


def test_a_replacement_that_died_half_way_is_swept_up_by_the_next(store: Store) -> None:
    store.install(fill_draft(store, "e2b:it"))
    folder = store.folder("e2b:it")
    folder.rename(folder.with_name(f".{folder.name}.old"))
    assert store.contents().models == ()
    store.install(fill_draft(store, "e2b:it"))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_contents_are_sorted_and_leave_downloads_out(store: Store) -> None:
    for name in ("e4b:it", "e2b:base"):
        store.install(fill_draft(store, name))
    fill_draft(store, "31b:it")
    assert [manifest.name for manifest in store.contents().models] == ["e2b:base", "e4b:it"]
    assert store.contents().problems == ()


def test_an_empty_store_has_no_contents_and_is_not_made(store: Store) -> None:
    assert store.contents().models == ()
    assert not store.root.exists()
    assert store.free_bytes() > 0


def test_a_folder_without_a_manifest_is_a_problem_not_a_model(store: Store) -> None:
    store.install(fill_draft(store, "e2b:it"))
    (store.folder("e4b:it")).mkdir()
    contents = store.contents()
    assert [manifest.name for manifest in contents.models] == ["e2b:it"]
    assert len(contents.problems) == 1
    assert "e4b@it" in contents.problems[0]
    assert "pull the model again" in contents.problems[0]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"source": {"kind": "ftp", "location": "x", "revision": "y"}},
        {"files": [{"path": "../../passwd", "size": 1, "sha256": "0" * 64}]},
        {"files": [{"path": "/etc/passwd", "size": 1, "sha256": "0" * 64}]},
        {"files": [{"path": "a", "size": 1}]},
        {"files": [{"path": "a", "size": "1", "sha256": "0" * 64}]},
        {"files": [{"path": "a", "size": -1, "sha256": "0" * 64}]},
        {"files": [{"path": "a", "size": 1, "sha256": "0"}]},
        {"licence_files": ["../secret"]},
        {"pulled": "yesterday"},
        {"licence": None},
        {"surprise": 1},
        {"files": None},
    ],
)
def test_a_damaged_manifest_is_refused(store: Store, change: dict[str, object]) -> None:
    folder = store.install(fill_draft(store, "e2b:it"))
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=r"missing or damaged .* pull the model again"):
        store.find("e2b:it")


@pytest.mark.parametrize(
    ("content", "deep", "problem"),
    [
        (None, False, "is missing"),
        (b"short", False, "has 5 bytes, not 7"),
        (b"WEIGHTS", False, None),
        (b"WEIGHTS", True, "has SHA-256"),
    ],
)
def test_check_finds_what_is_wrong_with_files(
    store: Store, content: bytes | None, deep: bool, problem: str | None
) -> None:
    folder = store.install(fill_draft(store, "e2b:it"))
    path = folder / "model.safetensors"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    manifest = store.find("e2b:it")
    assert manifest is not None
    found = store.check(manifest, deep=deep)
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_removing_frees_the_model_and_its_half_done_download(store: Store) -> None:
    store.install(fill_draft(store, "e2b:it"))
    fill_draft(store, "e2b:it", b"half")
    manifest_bytes = (store.folder("e2b:it") / "manifest.json").stat().st_size
    assert store.remove("e2b:it") == len(WEIGHTS) + len(b"half") + manifest_bytes
    assert store.contents().models == ()
    assert not store.partial("e2b:it").exists()


def test_removing_what_is_not_there_is_bad_input(store: Store) -> None:
    with pytest.raises(ModelNotFoundError, match=r"e2b:it is not downloaded; `gemma4 ls`"):
        store.remove("e2b:it")


def test_a_model_that_is_being_pulled_cannot_be_removed(store: Store) -> None:
    impatient = Store(store.root, lock_wait_seconds=0.0)
    store.install(fill_draft(store, "e2b:it"))
    with store.lock("e2b:it"), pytest.raises(LockedError, match="in use by process"):
        impatient.remove("e2b:it")
    assert store.find("e2b:it") is not None


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a\\b", "a*b"])
def test_names_that_cannot_be_folders_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="is no model name"):
        store.folder(name)


def test_names_stay_apart_as_folders(store: Store) -> None:
    names = ["e2b:it", "e2b:base", "google/gemma", "google/gemma-4"]
    assert len({store.folder(name) for name in names}) == len(names)
    assert {store.folder(name).parent for name in names} == {store.root / "models"}


def test_gits_digest_is_that_of_git(tmp_path: Path) -> None:
    """`printf hello | git hash-object --stdin`."""
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    digest = Digest(kind="git-sha1", value="b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0")
    assert digest.measure(path) == digest.value
