"""What lies beside the weights: which tokenizers fit a model."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from gemma4.errors import CheckpointError
from gemma4.llm.assets import read_tokenizer
from gemma4.text.tokens.packaged import packaged_tokenizer_json


def checkpoint(folder: Path, family: str, *, tokenizer: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        path=folder,
        config=SimpleNamespace(family=family),
        tokenizer=folder / "tokenizer.json" if tokenizer else None,
    )


@pytest.fixture(scope="module")
def one_more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer with one special token more than the 262,144 ids of the model."""
    data = json.loads(packaged_tokenizer_json())
    extra = {**data["added_tokens"][0], "id": 262_144, "content": "<image_soft_token>"}
    data["added_tokens"].append(extra)
    folder = tmp_path_factory.mktemp("gemma3")
    (folder / "tokenizer.json").write_text(json.dumps(data))
    return folder


def test_a_special_token_beyond_the_vocabulary_is_no_harm(one_more: Path) -> None:
    """Gemma 3 270M and 1B come with <image_soft_token> 262144, for which they have no row."""
    tokenizer, notes = read_tokenizer(checkpoint(one_more, "gemma3"), 262_144)
    assert (tokenizer.vocab_size, notes) == (262_145, ())
    assert 262_144 not in tokenizer.encode("<image_soft_token>")


def test_words_beyond_the_vocabulary_belong_to_another_model(one_more: Path) -> None:
    with pytest.raises(CheckpointError, match="262145 ids and the model 262000; they belong"):
        read_tokenizer(checkpoint(one_more, "gemma3"), 262_000)


def test_the_packaged_tokenizer_does_not_stand_in_for_gemma3s(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no tokenizer, and the packaged one is Gemma 4's"):
        read_tokenizer(checkpoint(tmp_path, "gemma3", tokenizer=False), 262_144)
    _, notes = read_tokenizer(checkpoint(tmp_path, "gemma4", tokenizer=False), 262_144)
    assert "the packaged one of Gemma 4 is used" in notes[0]
