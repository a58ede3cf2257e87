"""A fresh hub and a fresh store for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub, run_hub

from gemma4.hub.store import Store


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A running fake hub without repositories."""
    with run_hub() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "home")
