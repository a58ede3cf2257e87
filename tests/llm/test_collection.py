"""The search for cyclic garbage rests while a model is loaded, and goes on as it was before."""

import gc
import importlib
from collections.abc import Iterator

import pytest

import gemma4
from gemma4.llm.collection import collection_paused


@pytest.fixture
def collecting() -> Iterator[None]:
    """Whatever a test does, the search is on again afterwards."""
    gc.enable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collecting")
def test_it_rests_inside_and_goes_on_afterwards() -> None:
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.usefixtures("collecting")
def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="inside"), collection_paused():
        raise ValueError("inside")
    assert gc.isenabled()


@pytest.mark.usefixtures("collecting")
def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    with collection_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


@pytest.mark.usefixtures("collecting")
def test_it_rests_while_a_public_name_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch and the package make 300,000 objects that stay."""
    seen = []

    def counted(name: str, package: str) -> object:
        seen.append(gc.isenabled())
        return imported(name, package)

    imported = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", counted)
    assert gemma4.load is not None
    assert seen == [False]
    assert gc.isenabled()
