"""Models on demand: one load for all who ask, keep-alive, eviction, failures, aliases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from live_server import LiveServer, wait_until
from scripted_loader import NamedShelf, ScriptedLoader, server_of

from gemma4.errors import CheckpointError
from gemma4.serve.settings import Limits, Loading


def chat(live: LiveServer, model: str | None) -> httpx2.Response:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    body |= {} if model is None else {"model": model}
    return httpx2.post(f"{live.url}/v1/chat/completions", json=body, trust_env=False, timeout=30)


def said(answer: httpx2.Response) -> str:
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def open_loader() -> ScriptedLoader:
    loader = ScriptedLoader()
    loader.gate.set()
    return loader


def loaded(live: LiveServer) -> list[str]:
    return live.on_loop(lambda: [served.id for served in live.models.all])


def test_first_requests_at_once_load_once() -> None:
    loader = ScriptedLoader()
    with server_of(NamedShelf("a"), loader) as live, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(chat, live, "a") for _ in range(4)]
        wait_until(lambda: loader.loads == ["a"] and live.models._slots["a"].users == 4)
        assert live.on_loop(lambda: live.models.standings[0].state) == "loading"
        loader.gate.set()
        assert {said(answer.result()) for answer in answers} == {"Hello from a."}
    assert loader.loads == ["a"]


def test_a_load_that_fails_tells_all_and_is_tried_again() -> None:
    loader = ScriptedLoader(errors={"a": CheckpointError("a.gguf is damaged; pull it again")})
    with server_of(NamedShelf("a"), loader) as live, ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(chat, live, "a") for _ in range(3)]
        wait_until(lambda: len(loader.loads) == 1)
        loader.gate.set()
        for answer in answers:
            assert answer.result().status_code == 400
            assert "damaged" in answer.result().json()["error"]["message"]
        standing = httpx2.get(f"{live.url}/ps", trust_env=False, timeout=30).json()["models"]
        assert [(one["state"], one["error"]) for one in standing] == [
            ("error", "a.gguf is damaged; pull it again")
        ]
        loader.errors.clear()
        assert said(chat(live, "a")) == "Hello from a."
        assert [one.state for one in live.on_loop(lambda: live.models.standings)] == ["loaded"]


def test_a_load_that_takes_too_long_is_503_and_goes_on() -> None:
    loader = ScriptedLoader()
    with server_of(NamedShelf("a"), loader, limits=Limits(load_seconds=0.1)) as live:
        answer = chat(live, "a")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_loading")
        assert int(answer.headers["retry-after"]) > 0
        loader.gate.set()
        wait_until(lambda: loaded(live) == ["a"], seconds=30)
        assert said(chat(live, "a")) == "Hello from a."
    assert loader.loads == ["a"]


def test_an_idle_model_goes_after_its_keep_alive() -> None:
    with server_of(NamedShelf("a", "b"), open_loader(), loading=Loading(keep_alive=0.2)) as live:
        assert said(chat(live, "a")) == "Hello from a."
        assert loaded(live) == ["a"]
        assert wait_until(lambda: not loaded(live)) > 0.05


def test_what_the_server_was_started_with_is_loaded_at_once_and_stays() -> None:
    shelf = NamedShelf("a", "b", started_with=("b",))
    loader = ScriptedLoader()
    with server_of(shelf, loader, loading=Loading(keep_alive=0.0)) as live:
        health = httpx2.get(f"{live.url}/health", trust_env=False, timeout=30)
        assert (health.status_code, health.json()["status"]) == (503, "loading")
        loader.gate.set()
        wait_until(lambda: loaded(live) == ["b"], seconds=30)
        assert said(chat(live, None)) == "Hello from b."
        assert loaded(live) == ["b"]
        assert httpx2.get(f"{live.url}/health", trust_env=False, timeout=30).status_code == 200


def test_the_one_longest_unused_makes_room() -> None:
    loader = open_loader()
    with server_of(NamedShelf("a", "b", "c"), loader, loading=Loading(max_models=2)) as live:
        for name in ("a", "b", "a", "c"):
            assert said(chat(live, name)) == f"Hello from {name}."
        assert sorted(loaded(live)) == ["a", "c"]
        live.on_loop(live.models.check)


def test_memory_is_made_free_before_a_load() -> None:
    loader = open_loader()
    with server_of(NamedShelf("a", "b"), loader) as live:
        loader.lacks = lambda id: "b needs 9 GiB" if id == "b" and loaded_ids() else None

        def loaded_ids() -> list[str]:
            return [served.id for served in live.models.all]

        chat(live, "a")
        assert said(chat(live, "b")) == "Hello from b."
        assert loaded(live) == ["b"]
        loader.lacks = lambda id: f"{id} needs 9 GiB and 1 is free"
        answer = chat(live, "a")
        assert answer.status_code == 503
        assert "9 GiB" in answer.json()["error"]["message"]


def test_a_load_waits_for_the_memory_of_what_is_leaving() -> None:
    loader = open_loader()
    with server_of(NamedShelf("a"), loader) as live:
        chat(live, "a")
        worker = live.models.find("a").worker
        loader.lacks = lambda _: "a needs 9 GiB" if worker._thread.is_alive() else None
        busy = threading.Event()
        worker.call(lambda: busy.wait(20) and None)  # it cannot be closed yet
        live.on_loop(lambda: live.models.unload("a"))
        wait_until(lambda: not loaded(live))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(chat, live, "a")
            wait_until(lambda: bool(live.models._slots))
            busy.set()
            assert said(answer.result()) == "Hello from a."


def test_a_model_in_use_is_waited_for_and_never_thrown_out() -> None:
    loader = open_loader()
    loader.script, loader.step_seconds = lambda _: "word " * 40, 0.02
    with (
        server_of(NamedShelf("a", "b"), loader, loading=Loading(max_models=1)) as live,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(chat, live, "a")
        wait_until(lambda: loaded(live) == ["a"], seconds=30)
        second = pool.submit(chat, live, "b")
        assert said(first.result()) == "word " * 40
        assert said(second.result()) == "word " * 40
        assert loaded(live) == ["b"]


def test_unloading_lets_answers_end_first() -> None:
    loader = open_loader()
    loader.script, loader.step_seconds = lambda _: "word " * 40, 0.02
    with server_of(NamedShelf("a"), loader) as live, ThreadPoolExecutor(1) as pool:
        first = pool.submit(chat, live, "a")
        wait_until(lambda: loaded(live) == ["a"], seconds=30)
        body = {"model": "a"}
        answer = httpx2.post(
            f"{live.url}/models/unload", json=body, trust_env=False, timeout=30
        ).json()
        assert answer == {"id": "a", "was_loaded": True}
        assert said(first.result()) == "word " * 40
        wait_until(lambda: not loaded(live))
        assert not httpx2.post(
            f"{live.url}/models/unload", json=body, trust_env=False, timeout=30
        ).json()["was_loaded"]


def test_loading_by_name_and_how_it_stands() -> None:
    with server_of(NamedShelf("a"), open_loader()) as live:
        body = {"model": "a:latest", "keep_alive": 60}
        found = httpx2.post(
            f"{live.url}/models/load", json=body, trust_env=False, timeout=30
        ).json()
        assert (found["id"], found["state"], found["context"]) == ("a", "loaded", 8192)
        assert 50 < found["expires_in"] <= 60


def test_other_names_mean_what_was_configured_and_nothing_else() -> None:
    aliases = {"claude-*": "b", "gpt-4o": "a"}
    with server_of(NamedShelf("a", "b"), open_loader(), loading=Loading(aliases=aliases)) as live:
        assert said(chat(live, "claude-opus-4")) == "Hello from b."
        assert said(chat(live, "GPT-4o")) == "Hello from a."
        answer = chat(live, "gpt-4o-mini")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert "a, b" in answer.json()["error"]["message"]
        assert said(chat(live, "b:latest")) == "Hello from b."


def test_a_model_whose_thread_has_stopped_is_loaded_again() -> None:
    loader = open_loader()
    with server_of(NamedShelf("a"), loader) as live:
        chat(live, "a")
        worker = live.models.find("a").worker

        def contradict() -> None:
            raise AssertionError("the engine contradicts itself")

        worker.call(contradict)
        wait_until(lambda: worker.fault is not None)
        assert httpx2.get(f"{live.url}/health", trust_env=False, timeout=30).status_code == 503
        assert said(chat(live, "a")) == "Hello from a."
        assert httpx2.get(f"{live.url}/health", trust_env=False, timeout=30).status_code == 200
    assert loader.loads == ["a", "a"]


def test_the_list_tells_what_is_loaded() -> None:
    with server_of(NamedShelf("a", "b"), open_loader()) as live:
        chat(live, "b")
        found = httpx2.get(f"{live.url}/v1/models", trust_env=False, timeout=30).json()["data"]
        assert [(one["id"], one["loaded"]) for one in found] == [("a", False), ("b", True)]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "./a", "a/b.gguf", "~/model"])
def test_a_client_cannot_name_a_path(name: str) -> None:
    with server_of(NamedShelf("a"), open_loader()) as live:
        assert chat(live, name).status_code == 404
