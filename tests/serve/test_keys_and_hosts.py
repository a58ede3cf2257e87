"""Who may ask: keys, names of the server, origins of pages."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from live_server import live_server
from scripted_model import scripted_llm

from gemma4.serve.middleware.hosts import is_local_name, name_of
from gemma4.serve.middleware.keys import hash_key
from gemma4.serve.settings import Access, ServeSettings

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
KEYS = ("first-key", "second-kéy")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    hashes = tuple(hash_key(key) for key in KEYS)
    settings = ServeSettings(access=Access(key_hashes=hashes, origins=("https://app.example",)))
    with (
        live_server([scripted_llm(lambda _: "Hello.")], settings) as live,
        httpx2.Client(base_url=live.url, trust_env=False, timeout=30) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer first-key"},
        {"authorization": "bearer   first-key"},
        {"x-api-key": "first-key"},
        {"authorization": "Basic eHg=", "x-api-key": "first-key"},
    ],
)
def test_a_key_in_any_of_its_places(client: httpx2.Client, headers: dict[str, str]) -> None:
    assert client.post("/v1/chat/completions", json=CHAT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer first-ke"},
        {"authorization": "Basic first-key"},
        {"x-api-key": ""},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/models/unload", "/nothing"])
def test_no_key_or_a_wrong_one_is_401(
    client: httpx2.Client, headers: dict[str, str], path: str
) -> None:
    found = client.post(path, json=CHAT, headers=headers)
    assert found.status_code == 401
    assert found.json()["error"]["type"] == "authentication_error"
    assert found.json()["error"]["code"] == "invalid_api_key"


def test_reading_needs_a_key_too_but_for_health_and_the_page(client: httpx2.Client) -> None:
    for path in ("/v1/models", "/metrics", "/ps", "/openapi.json"):
        assert client.get(path).status_code == 401
    assert client.get("/health").status_code == 200
    assert client.head("/").status_code == 200
    assert client.get("/web/none").status_code == 404
    assert client.post("/web/none").status_code == 401


def test_a_401_is_in_each_protocols_form(client: httpx2.Client) -> None:
    messages = client.post("/v1/messages", json={}).json()
    assert messages["type"] == "error"
    assert messages["error"]["type"] == "authentication_error"
    assert isinstance(client.post("/api/chat", json={}).json()["error"], str)


def test_the_clients_own_errors(client: httpx2.Client) -> None:
    base = str(client.base_url).rstrip("/")
    with (
        openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0) as theirs,
        pytest.raises(openai.AuthenticationError),
    ):
        theirs.models.list()
    with (
        anthropic.Anthropic(base_url=base, api_key="wrong", max_retries=0) as others,
        pytest.raises(anthropic.AuthenticationError),
    ):
        others.messages.create(
            model="scripted", max_tokens=5, messages=[{"role": "user", "content": "hi"}]
        )


def test_origins_that_were_named_may_ask_and_others_not(client: httpx2.Client) -> None:
    key = {"x-api-key": "first-key"}
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    preflight = client.options("/v1/chat/completions", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    found = client.get("/v1/models", headers={**key, "origin": "https://app.example"})
    assert found.headers["access-control-allow-origin"] == "https://app.example"
    for origin in ("https://evil.example", "null"):
        found = client.post("/v1/chat/completions", json=CHAT, headers={**key, "origin": origin})
        assert (found.status_code, found.json()["error"]["code"]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in found.headers


def test_the_servers_own_page_may_ask(client: httpx2.Client) -> None:
    own = str(client.base_url).rstrip("/")
    headers = {"x-api-key": "first-key", "origin": own}
    assert client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", ""]
)
def test_a_rebound_name_is_refused(client: httpx2.Client, host: str) -> None:
    found = client.get("/v1/models", headers={"host": host, "x-api-key": "first-key"})
    assert (found.status_code, found.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST", "api.localhost"]
)
def test_names_of_this_machine_are_answered_to(client: httpx2.Client, host: str) -> None:
    found = client.get("/v1/models", headers={"host": host, "x-api-key": "first-key"})
    assert found.status_code == 200


def test_hosts_are_read_as_they_are_written() -> None:
    assert name_of("Example.COM:80") == "example.com"
    assert name_of("[fe80::1]:80") == "fe80::1"
    assert is_local_name("192.168.1.5")
    assert not is_local_name("127.0.0.1.evil.example")


def test_without_keys_everybody_may_and_cors_is_off() -> None:
    with live_server([scripted_llm(lambda _: "Hello.")]) as live:
        found = httpx2.get(
            f"{live.url}/v1/models", headers={"origin": live.url}, trust_env=False, timeout=30
        )
        assert found.status_code == 200
        assert "access-control-allow-origin" not in found.headers
        other = httpx2.get(
            f"{live.url}/v1/models", headers={"origin": "http://x.example"}, trust_env=False
        )
        assert other.status_code == 403


def test_a_server_for_others_answers_to_any_name() -> None:
    settings = ServeSettings(host="0.0.0.0")
    with live_server([scripted_llm(lambda _: "Hello.")], settings) as live:
        found = httpx2.get(
            f"{live.url}/health", headers={"host": "box.example"}, trust_env=False, timeout=30
        )
        assert found.status_code == 200
