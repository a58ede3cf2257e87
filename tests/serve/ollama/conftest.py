"""One server for the tests of a file."""

from collections.abc import Iterator

import httpx2
import ollama
import pytest
from live_server import LiveServer
from ollama_script import ollama_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with ollama_server() as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[ollama.Client]:
    with ollama.Client(server.url) as one:
        yield one


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx2.Client]:
    """Plain HTTP, for exact lines."""
    with httpx2.Client(base_url=server.url, timeout=60) as one:
        yield one
