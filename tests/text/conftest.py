"""The Gemma 4 tokenizer, loaded once for all tests of this layer."""

import pytest

from gemma4.text.tokens.packaged import packaged_tokenizer, packaged_tokenizer_json
from gemma4.text.tokens.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The packaged Gemma 4 tokenizer."""
    return packaged_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_json() -> bytes:
    """Google's tokenizer.json, unpacked."""
    return packaged_tokenizer_json()
