"""Pulling from a hub: what is chosen, resumed, checked and refused. The hub is a local fake."""

import errno
import json
import os
import random
import shutil
from pathlib import Path

import pytest
from fake_hub import FakeHub, FakeRepository
from quiet_report import report_nothing

from gemma4.errors import DownloadError, EnvironmentFault, LockedError, ModelNotFoundError
from gemma4.hub.huggingface import Hub, Plan, plan_pull, pull
from gemma4.hub.progress import Progress
from gemma4.hub.selection import Choice
from gemma4.hub.store import Store

REPOSITORY = "google/gemma-4-E2B-it"
WEIGHTS = random.Random(0).randbytes(3_000_000)
FILES = {
    "config.json": b'{"dtype": "bfloat16"}',
    "tokenizer.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "LICENSE": b"Apache License",
    "README.md": b"# Gemma",
    "model.safetensors": WEIGHTS,
    "original/consolidated.pth": b"not ours",
}


def make_repository(**changes: object) -> FakeRepository:
    values: dict[str, object] = {"files": dict(FILES), "large": ("model.safetensors",)}
    return FakeRepository(**{**values, **changes})  # type: ignore[arg-type]  # test data


def hub_for(fake: FakeHub, *, token: str | None = None, retries: int = 0) -> Hub:
    return Hub(endpoint=fake.endpoint, token=token, retry_delays=(0.0,) * retries)


def plan_for(hub: Hub) -> Plan:
    return plan_pull(hub, REPOSITORY, name="e2b:it")


def test_a_pull_brings_the_models_files_and_only_those(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    plan = plan_for(hub_for(hub))
    manifest = pull(hub_for(hub), plan, store, report=report_nothing)
    folder = store.folder("e2b:it")
    assert sorted(path.name for path in folder.iterdir()) == [
        "LICENSE",
        "chat_template.jinja",
        "config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert store.find("e2b:it") == manifest
    assert store.check(manifest, deep=True) == ()
    assert not store.partial("e2b:it").exists()
    assert (manifest.licence, manifest.licence_files) == ("apache-2.0", ("LICENSE",))
    assert manifest.quantization == "BF16"
    assert manifest.source.revision == hub.repositories[REPOSITORY].commit


def test_a_second_pull_fetches_nothing(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    first = pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    hub.requests.clear()
    assert pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing) == first
    assert hub.requests == []


def test_a_cut_connection_is_resumed_in_the_same_run(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    hub.faults["model.safetensors"] = ["cut:1000000", 503, "cut:500000"]
    seen: list[Progress] = []
    pull(hub_for(hub, retries=1), plan_for(hub_for(hub)), store, report=seen.append)
    assert hub.ranges("model.safetensors") == [
        None,
        "bytes=1000000-",
        "bytes=1000000-",
        "bytes=1500000-",
    ]
    done = [report.done for report in seen if report.file == "model.safetensors"]
    assert done == sorted(done)
    assert done[-1] == len(WEIGHTS)


def test_a_later_run_resumes_where_an_earlier_one_failed(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    hub.faults["model.safetensors"] = ["cut:1234567", 500]
    plan = plan_for(hub_for(hub))
    with pytest.raises(DownloadError, match=r"answered 500 .* what was fetched is kept"):
        pull(hub_for(hub), plan, store, report=report_nothing)
    assert store.find("e2b:it") is None
    assert store.contents().models == ()
    assert plan.missing_bytes(store.partial("e2b:it")) == len(WEIGHTS) - 1_234_567 + len(b"{}")
    pull(hub_for(hub), plan, store, report=report_nothing)
    assert hub.ranges("model.safetensors")[-1] == "bytes=1234567-"
    assert hub.ranges("config.json") == [None]
    assert (store.folder("e2b:it") / "model.safetensors").read_bytes() == WEIGHTS


def test_a_server_without_ranges_is_read_from_the_start(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    hub.faults["model.safetensors"] = ["cut:1000", "whole"]
    manifest = pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert store.check(manifest, deep=True) == ()


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_wrong_bytes_are_thrown_away(hub: FakeHub, store: Store, path: str) -> None:
    """Same length, other content: only the digest can tell, SHA-256 or git's."""
    repository = make_repository()
    repository.announced = {path: bytes(len(FILES[path]))}
    hub.repositories[REPOSITORY] = repository
    plan = plan_for(hub_for(hub))
    with pytest.raises(DownloadError, match=f"{path} came damaged: its (sha256|git-sha1) is"):
        pull(hub_for(hub), plan, store, report=report_nothing)
    assert not [p for p in store.partial("e2b:it").iterdir() if p.name.startswith(path)]
    assert store.find("e2b:it") is None
    repository.announced.clear()
    pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert (store.folder("e2b:it") / path).read_bytes() == FILES[path]


def test_a_longer_file_than_announced_is_thrown_away(hub: FakeHub, store: Store) -> None:
    repository = make_repository()
    repository.announced = {"tokenizer.json": b"{"}
    hub.repositories[REPOSITORY] = repository
    with pytest.raises(DownloadError, match=r"tokenizer\.json came damaged"):
        pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)


def test_a_damaged_leftover_of_the_right_size_is_fetched_anew(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    draft = store.partial("e2b:it")
    draft.mkdir(parents=True)
    (draft / "model.safetensors").write_bytes(bytes(len(WEIGHTS)))
    manifest = pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert store.check(manifest, deep=True) == ()


def test_a_new_revision_replaces_the_old_and_fetches_only_what_changed(
    hub: FakeHub, store: Store
) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    changed = make_repository(commit="f" * 40)
    changed.files["chat_template.jinja"] = b"{{ other }}"
    hub.repositories[REPOSITORY] = changed
    hub.requests.clear()
    manifest = pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert hub.ranges("model.safetensors") == []
    assert manifest.source.revision == "f" * 40
    folder = store.folder("e2b:it")
    assert (folder / "chat_template.jinja").read_bytes() == b"{{ other }}"
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_token_reaches_the_hub_but_not_where_it_redirects(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository(gated=True)
    hub.token = "secret"
    asking = hub_for(hub, token="secret")
    pull(asking, plan_for(asking), store, report=report_nothing)
    sent = {path: token for path, _, token in hub.requests}
    assert sent["config.json"] == "Bearer secret"
    assert sent["model.safetensors"] is None


@pytest.mark.parametrize(
    ("token", "remedy"),
    [(None, "set HF_TOKEN"), ("other", "wait until the account of HF_TOKEN is let in")],
)
def test_a_gated_repository_names_its_page_and_the_remedy(
    hub: FakeHub, store: Store, token: str | None, remedy: str
) -> None:
    hub.repositories[REPOSITORY] = make_repository(gated=True)
    hub.token = None if token is None else "other"
    asking = hub_for(hub, token=token)
    plan = plan_for(asking)
    hub.token = None
    with pytest.raises(DownloadError, match=f"is gated: accept its licence at .*E2B-it, {remedy}"):
        pull(asking, plan, store, report=report_nothing)


def test_a_bad_token_is_named(hub: FakeHub) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    with pytest.raises(DownloadError, match=r"refused access \(401\); check that HF_TOKEN"):
        plan_for(hub_for(hub, token="bad"))


def test_an_unknown_repository_is_bad_input(hub: FakeHub) -> None:
    with pytest.raises(ModelNotFoundError, match=r"shows no google/gemma-4-E2B-it .* spelling"):
        plan_for(hub_for(hub))


def test_an_unknown_revision_is_bad_input(hub: FakeHub) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    with pytest.raises(ModelNotFoundError, match="has no revision v9"):
        plan_pull(hub_for(hub), REPOSITORY, name="e2b:it", choice=Choice(revision="v9"))


@pytest.mark.parametrize("name", ["a b/c", "a/b/c", "../x"])
def test_a_malformed_repository_id_is_bad_input(hub: FakeHub, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="write it as organization/name"):
        plan_pull(hub_for(hub), name, name=name)


def test_a_failing_hub_is_named(hub: FakeHub) -> None:
    hub.faults["api"] = [500]
    with pytest.raises(DownloadError, match="answered 500 for google/gemma-4-E2B-it"):
        plan_for(hub_for(hub))


def test_an_unreachable_hub_names_the_network(store: Store) -> None:
    with pytest.raises(DownloadError, match=r"cannot be reached .* HF_ENDPOINT"):
        plan_pull(Hub(endpoint="http://127.0.0.1:9"), REPOSITORY, name="e2b:it")
    assert not store.root.exists()


@pytest.mark.parametrize("endpoint", ["hub.example", "http://[broken", "ftp://hub.example"])
def test_an_endpoint_that_is_no_url_is_named(endpoint: str) -> None:
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        plan_pull(Hub(endpoint=endpoint), REPOSITORY, name="e2b:it")


def test_a_repository_that_climbs_out_of_its_folder_is_refused(hub: FakeHub) -> None:
    repository = make_repository()
    repository.files = {"../LICENSE": b"x", "model.safetensors": b"x"}
    hub.repositories[REPOSITORY] = repository
    plan = plan_pull(hub_for(hub), REPOSITORY, name="e2b:it")
    assert [file.path for file in plan.files] == ["model.safetensors"]
    with pytest.raises(DownloadError, match="leaves its folder; do not trust"):
        plan_pull(hub_for(hub), REPOSITORY, name="e2b:it", choice=Choice(include=("*LICENSE",)))


def test_too_small_a_disk_is_said_before_the_first_byte(
    hub: FakeHub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    usage = shutil.disk_usage(store.root.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(EnvironmentFault, match=r"3,000,\d+ bytes are still needed, 1,000 are free"):
        pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert hub.requests == []


def test_a_disk_that_fills_on_the_way_loses_nothing(
    hub: FakeHub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    plan = plan_for(hub_for(hub))

    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fill)
        with pytest.raises(EnvironmentFault, match=r"no space left .* what was fetched is kept"):
            pull(hub_for(hub), plan, store, report=report_nothing)
    assert store.contents().models == ()
    kept = store.partial("e2b:it")
    assert [path.name for path in kept.iterdir()] != []
    pull(hub_for(hub), plan, store, report=report_nothing)
    assert hub.ranges("LICENSE") == [None], "the bytes that fitted are not fetched twice"


def test_a_second_pull_at_the_same_time_names_the_process(hub: FakeHub, store: Store) -> None:
    hub.repositories[REPOSITORY] = make_repository()
    plan = plan_for(hub_for(hub))
    impatient = Store(store.root, lock_wait_seconds=0.0)
    named = f"e2b:it is in use by process {os.getpid()}; .*wait for it or stop it"
    with store.lock("e2b:it"), pytest.raises(LockedError, match=named):
        pull(hub_for(hub), plan, impatient, report=report_nothing)
    pull(hub_for(hub), plan, impatient, report=report_nothing)


def test_a_gguf_repository_brings_one_decoder_and_its_towers(hub: FakeHub, store: Store) -> None:
    repository = make_repository(large=())
    repository.files = {
        "README.md": b"",
        "gemma-4-E2B-it-Q4_K_M.gguf": b"4",
        "gemma-4-E2B-it-Q8_0.gguf": b"8",
        "mmproj-gemma-4-E2B-it-F16.gguf": b"f",
        "mmproj-gemma-4-E2B-it-BF16.gguf": b"b",
    }
    hub.repositories[REPOSITORY] = repository
    with pytest.raises(ModelNotFoundError, match=r"2 GGUF files; choose one of: Q4_K_M, Q8_0"):
        plan_for(hub_for(hub))
    plan = plan_pull(hub_for(hub), REPOSITORY, name=REPOSITORY, choice=Choice(quantization="q8_0"))
    manifest = pull(hub_for(hub), plan, store, report=report_nothing)
    assert [file.path for file in manifest.files] == [
        "gemma-4-E2B-it-Q8_0.gguf",
        "mmproj-gemma-4-E2B-it-BF16.gguf",
    ]
    assert manifest.quantization == "Q8_0"


def test_the_weights_scheme_is_read_from_config(hub: FakeHub, store: Store) -> None:
    repository = make_repository()
    scheme = {"config_groups": {"group_0": {"weights": {"num_bits": 4}}}}
    repository.files["config.json"] = json.dumps({"quantization_config": scheme}).encode()
    hub.repositories[REPOSITORY] = repository
    manifest = pull(hub_for(hub), plan_for(hub_for(hub)), store, report=report_nothing)
    assert manifest.quantization == "W4A16"


def test_a_hub_that_answers_something_else_is_named(tmp_path: Path, hub: FakeHub) -> None:
    repository = make_repository()
    repository.describe = lambda name: {"no": name}  # type: ignore[method-assign]  # a proxy's page
    hub.repositories[REPOSITORY] = repository
    with pytest.raises(DownloadError, match="did not answer as a model hub does"):
        plan_for(hub_for(hub))
    assert list(tmp_path.iterdir()) == []
