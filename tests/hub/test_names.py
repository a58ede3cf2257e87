"""What a user may call a model, and which files of a repository are the model."""

from pathlib import Path

import pytest
from stored_models import store_model

from gemma4.errors import CheckpointError, InputError, ModelNotFoundError
from gemma4.hub.names import find_stored, parse_reference, resolve
from gemma4.hub.registry import GEMMA3_270M
from gemma4.hub.selection import Choice, label_of_file, label_of_model, select_files
from gemma4.hub.store import Store


@pytest.mark.parametrize(
    ("text", "name", "source"),
    [
        ("e2b", "e2b", "google/gemma-4-E2B-it"),
        ("E2B:it", "e2b", "google/gemma-4-E2B-it"),
        ("e2b:base", "e2b:base", "google/gemma-4-E2B"),
        ("31b:qat-q4_0", "31b:qat-q4_0", "google/gemma-4-31B-it-qat-q4_0-gguf"),
        ("google/gemma-4-E2B-it", "e2b", "google/gemma-4-E2B-it"),
        ("someone/gemma-GGUF", "someone/gemma-GGUF", "someone/gemma-GGUF"),
        ("google/gemma-3-270m", "google/gemma-3-270m", "google/gemma-3-270m"),
    ],
)
def test_names_have_one_place_in_the_store_and_one_source(
    text: str, name: str, source: str
) -> None:
    reference = parse_reference(text)
    assert (reference.name, reference.source) == (name, source)


def test_the_small_model_comes_from_the_package_registry() -> None:
    assert parse_reference("gemma3:270m").source is GEMMA3_270M


@pytest.mark.parametrize("text", ["e3b", "e2b:q9", "a/b/c", "", "--x/y"])
def test_unknown_names_are_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"known: e2b, .*gemma3:270m"):
        parse_reference(text)


@pytest.mark.parametrize("text", ["./model", "/models/x", "~/x", "model.gguf"])
def test_paths_cannot_be_pulled(text: str) -> None:
    with pytest.raises(InputError, match="is a path, not a name"):
        parse_reference(text)


def test_what_is_not_downloaded_names_the_command(store: Store) -> None:
    for text, name in (("e2b:it", "e2b"), ("someone/model", "someone/model")):
        with pytest.raises(ModelNotFoundError, match=f"run `gemma4 pull {name}`"):
            resolve(text, store)
        assert find_stored(text, store) is None


def test_a_stored_model_is_its_folder_or_its_gguf(store: Store) -> None:
    store_model(store.root, "e2b", {"config.json": b"{}", "model.safetensors": b"w"})
    files = {"mmproj-BF16.gguf": b"p", "x-Q4_0.gguf": b"w"}
    manifest = store_model(store.root, "e2b:qat-q4_0", files)
    assert resolve("E2B", store) == store.folder("e2b")
    assert resolve("google/gemma-4-E2B-it", store) == store.folder("e2b")
    assert resolve("e2b:qat-q4_0", store) == store.folder("e2b:qat-q4_0") / "x-Q4_0.gguf"
    assert find_stored("e2b:qat-q4_0", store) == manifest


def test_a_stored_model_with_a_hole_is_not_opened(store: Store) -> None:
    store_model(store.root, "e2b", {"config.json": b"{}", "model.safetensors": b"w"})
    (store.folder("e2b") / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"has 0 bytes, not 1; run `gemma4 pull e2b`"):
        resolve("e2b", store)


def test_paths_stay_paths(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("google/mine").mkdir(parents=True)
    Path("e2b").mkdir()
    Path("m.gguf").write_bytes(b"")
    assert resolve("google/mine", store) == Path("google/mine")
    assert resolve("./e2b", store) == Path("e2b")
    assert resolve("m.gguf", store) == Path("m.gguf")
    with pytest.raises(ModelNotFoundError, match="gemma4 pull e2b"):
        resolve("e2b", store)
    with pytest.raises(ModelNotFoundError, match=r"other\.gguf does not exist"):
        resolve("other.gguf", store)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gemma-4-E2B-it-Q4_K_M.gguf", "Q4_K_M"),
        ("gemma-3-270m-q4_k_m.gguf", "Q4_K_M"),
        ("gemma-4-31B-it-qat-q4_0.gguf", "Q4_0"),
        ("model.Q5_1.gguf", "Q5_1"),
        ("x-IQ4_NL.gguf", "IQ4_NL"),
        ("mmproj-model-bf16.gguf", "BF16"),
        ("x-F16.gguf", "F16"),
        ("gemma-4-E2B-it.gguf", None),
    ],
)
def test_a_file_name_tells_the_quantization(name: str, label: str | None) -> None:
    assert label_of_file(name) == label


def test_a_folder_without_any_hint_is_unknown(tmp_path: Path) -> None:
    assert label_of_model(tmp_path, []) == "unknown"


def test_sharded_weights_come_with_their_index_and_without_other_formats() -> None:
    paths = [
        "README.md",
        "config.json",
        "consolidated.safetensors",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "onnx/model.safetensors",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer.model",
    ]
    assert select_files(paths, Choice(), "a/b") == (
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    )
    assert "README.md" in select_files(paths, Choice(include=("*.md",)), "a/b")


def test_split_ggufs_are_refused_with_the_reason() -> None:
    parts = [f"x-BF16-0000{i}-of-00002.gguf" for i in (1, 2)]
    with pytest.raises(ModelNotFoundError, match="only as parts, read are single files"):
        select_files(parts, Choice(), "a/b")
    with pytest.raises(ModelNotFoundError, match="only as parts"):
        select_files([*parts, "x-Q8_0.gguf"], Choice(quantization="BF16"), "a/b")
    assert select_files([*parts, "x-Q8_0.gguf"], Choice(), "a/b") == ("x-Q8_0.gguf",)


def test_a_repository_without_weights_is_refused() -> None:
    with pytest.raises(ModelNotFoundError, match=r"neither model\*\.safetensors nor \.gguf"):
        select_files(["config.json", "pytorch_model.bin"], Choice(), "a/b")
    with pytest.raises(ModelNotFoundError, match=r"0 GGUF files of Q2_K; choose one of: Q8_0"):
        select_files(["x-Q8_0.gguf"], Choice(quantization="Q2_K"), "a/b")
