"""What there is, what is loaded, and what comes and goes, by Ollama's own client."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import ollama
import pytest
from fake_hub import FakeHub, FakeRepository, run_hub
from live_server import LiveServer, live_server, wait_until
from ollama_script import answer
from scripted_model import scripted_llm
from stored_models import store_model
from tiny_chat import tiny_chat_directory

from gemma4.hub.offer import HubAccess
from gemma4.hub.store import Store
from gemma4.llm.llm import LLM
from gemma4.llm.worker import Worker
from gemma4.serve.loading import DiskLoader
from gemma4.serve.models import Models, Served
from gemma4.serve.settings import Loading, ServeSettings
from gemma4.serve.shelf import Shelf

REPOSITORY = "google/gemma-4-E2B-it"
FILES = {
    "LICENSE": b"Apache License",
    "config.json": b'{"dtype": "bfloat16"}',
    "model.safetensors": random.Random(1).randbytes(200_000),
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with run_hub() as running:
        running.repositories[REPOSITORY] = FakeRepository(
            files=dict(FILES), large=("model.safetensors",)
        )
        yield running


@pytest.fixture(scope="module")
def llm() -> LLM:
    return scripted_llm(answer)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def server(hub: FakeHub, store: Store, llm: LLM) -> Iterator[LiveServer]:
    """A server with a scripted model in memory, a tiny one on disk, and a hub."""
    loading = Loading(context=512, kernels="off", drafter=None)
    shelf = Shelf(store, [str(tiny_chat_directory())])
    loaded = Served(id="scripted", worker=Worker(llm))
    models = Models([loaded], shelf=shelf, loader=DiskLoader(store, loading), loading=loading)
    settings = ServeSettings(hub=HubAccess(endpoint=hub.endpoint))
    with live_server(settings=settings, models=models) as live:
        yield live


def test_the_list_has_what_is_loaded_and_what_could_be(client: ollama.Client, store: Store) -> None:
    manifest = store_model(store.root, "e2b", {"config.json": b"{}", "model.safetensors": b"w"})
    found = {model.model: model for model in client.list().models}
    assert found.keys() == {"scripted:latest", "tiny-chat:latest", "e2b:latest"}
    tiny = found["tiny-chat:latest"].details
    assert (tiny.format, tiny.family, tiny.families) == ("safetensors", "gemma4", ["gemma4"])
    assert tiny.parameter_size.endswith("M")
    assert (found["e2b:latest"].digest, found["e2b:latest"].size) == (
        manifest.digest,
        manifest.size,
    )
    assert found["e2b:latest"].modified_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_model_is_shown(client: ollama.Client) -> None:
    found = client.show("tiny-chat:latest")
    assert set(found.capabilities) >= {"completion", "tools", "thinking", "vision", "audio"}
    info = found.modelinfo
    assert info["general.architecture"] == "gemma4"
    assert info["gemma4.context_length"] == 8192
    assert info["general.parameter_count"] > 0
    assert "<|turn>" in found.template
    assert "temperature" in found.parameters
    assert found.details.quantization_level


def test_what_is_loaded_is_shown_with_the_context_it_has(client: ollama.Client) -> None:
    client.generate("tiny-chat", options={"num_ctx": 4096})
    assert client.show("tiny-chat").modelinfo["gemma4.context_length"] == 512
    assert client.show("scripted").modelinfo["gemma4.context_length"] == 8192


def test_models_come_and_go(client: ollama.Client) -> None:
    assert [model.model for model in client.ps().models] == ["scripted:latest"]
    assert client.generate("tiny-chat", keep_alive="10m").done_reason == "load"
    loaded = {model.model: model for model in client.ps().models}["tiny-chat:latest"]
    assert loaded.context_length == 512
    assert loaded.size > 0
    assert loaded.size_vram == 0
    left = (loaded.expires_at - datetime.now(UTC)).total_seconds()
    assert 500 < left <= 600
    client.generate("tiny-chat", keep_alive=-1)
    assert client.ps().models[1].expires_at.year == 9999
    assert client.generate("tiny-chat", keep_alive=0).done_reason == "unload"
    wait_until(lambda: [model.model for model in client.ps().models] == ["scripted:latest"])


def test_a_num_ctx_never_loads_a_model_again(client: ollama.Client, server: LiveServer) -> None:
    client.generate("tiny-chat", options={"num_ctx": 4096})
    before = server.on_loop(lambda: server.models.find("tiny-chat").worker)
    client.generate("tiny-chat", "hi", options={"num_ctx": 128, "num_predict": 1})
    assert server.on_loop(lambda: server.models.find("tiny-chat").worker) is before


def test_a_model_is_pulled_with_progress(client: ollama.Client, store: Store) -> None:
    parts = list(client.pull("e2b:latest", stream=True))
    assert [parts[0].status, parts[-1].status] == ["pulling manifest", "success"]
    weights = [part for part in parts if part.digest == "model.safetensors"]
    assert (weights[-1].completed, weights[-1].total) == (200_000, 200_000)
    assert store.find("e2b") is not None
    assert client.pull("e2b").status == "success"
    assert "e2b:latest" in [model.model for model in client.list().models]


def test_a_pull_that_fails_says_so(client: ollama.Client, hub: FakeHub) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        client.pull("nonsense")
    assert caught.value.status_code == 404
    hub.repositories[REPOSITORY].gated = True  # known, but its files want a consent
    parts = client.pull("e2b", stream=True)
    assert next(parts).status == "pulling manifest"
    with pytest.raises(ollama.ResponseError, match="licence"):
        list(parts)


def test_offline_nothing_is_pulled(hub: FakeHub, llm: LLM) -> None:
    for access in (None, HubAccess(endpoint=hub.endpoint, offline=True)):
        settings = ServeSettings(hub=access)
        with live_server([llm], settings) as live:
            found = httpx2.post(f"{live.url}/api/pull", json={"model": "e2b"}, timeout=60)
        assert found.status_code == 403
        assert "network" in found.json()["error"]
    assert hub.requests == []


def test_a_model_is_deleted(client: ollama.Client, store: Store) -> None:
    store_model(store.root, "e2b", {"config.json": b"{}", "model.safetensors": b"w"})
    client.delete("e2b:latest")
    assert store.find("e2b") is None
    for name, status in (("e2b", 404), ("scripted", 400), ("tiny-chat", 400)):
        with pytest.raises(ollama.ResponseError) as caught:
            client.delete(name)
        assert caught.value.status_code == status
    assert (tiny_chat_directory() / "config.json").is_file()


def test_what_is_not_done_here_says_what_to_do(client: ollama.Client, http: httpx2.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="--alias") as caught:
        client.copy("scripted", "mine")
    assert caught.value.status_code == 501
    with pytest.raises(ollama.ResponseError, match="gemma4 quantize"):
        client.create("mine", from_="scripted")
    with pytest.raises(ollama.ResponseError, match="sent away"):
        client.push("scripted")
    assert http.post("/api/blobs/sha256:00", content=b"x").status_code == 501
    unknown = http.post("/api/wonder", json={})
    assert (unknown.status_code, unknown.json().keys()) == (404, {"error"})


def test_a_name_is_needed_and_must_be_known(http: httpx2.Client) -> None:
    assert http.post("/api/show", json={}).status_code == 400
    found = http.post("/api/show", json={"name": "other"})
    assert found.status_code == 404
    assert "scripted" in found.json()["error"]


def test_a_damaged_model_is_listed_with_its_problem(http: httpx2.Client, store: Store) -> None:
    store_model(store.root, "e2b", {"config.json": b"{}", "model.safetensors": b"w"})
    entry = next(m for m in http.get("/api/tags").json()["models"] if m["name"] == "e2b:latest")
    assert "config.json" in entry["error"]
    shown = http.post("/api/show", json={"model": "e2b"})
    assert shown.status_code == 500
    assert "config.json" in shown.json()["error"]


def test_signs_of_life(http: httpx2.Client) -> None:
    assert http.head("/").status_code == 200
    found = http.get("/")
    assert found.headers["content-type"].startswith("text/plain")
    assert "Ollama is running" in found.text
    version = http.get("/api/version").json()
    assert tuple(map(int, version["version"].split("."))) >= (0, 20)
    json.dumps(version)
