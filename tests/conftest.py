"""What tests of several layers need."""

import os
from pathlib import Path

import pytest

# Read when triton is first imported, which transformers does: its kernels then run on the CPU.
os.environ["TRITON_INTERPRET"] = "1"

from gemma4.cli.settings import read_settings
from gemma4.errors import ModelNotFoundError
from gemma4.hub.names import resolve
from gemma4.hub.store import Store


@pytest.fixture(scope="session")
def gemma3_270m_path() -> Path:
    """The weights of Gemma 3 270M in the user's store, for tests marked `weights`."""
    store = Store(read_settings(os.environ).home)
    try:
        return resolve("gemma3:270m", store)
    except ModelNotFoundError as error:
        pytest.skip(f"real weights are not in {store.root}: {error}")
