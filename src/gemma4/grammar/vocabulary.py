"""llguidance's view of our vocabulary: the bytes of every token, which are special, which end an answer."""

from collections.abc import Collection

from llguidance import LLTokenizer, TokenizerWrapper

from ..text.tokens.tokenizer import Tokenizer


class _Source:
    """What `TokenizerWrapper` asks of a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, stop_ids: Collection[int]) -> None:
        known = min(vocab_size, tokenizer.vocab_size)
        self.bos_token_id = tokenizer.bos_id
        self.eos_token_id = min(stop_ids)
        self.special_token_ids = [id for id in tokenizer.special_ids.values() if id < known]
        self.tokens = [tokenizer.token_bytes(id) for id in range(known)]
        self._tokenizer = tokenizer

    def __call__(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode())


def library_tokenizer(
    tokenizer: Tokenizer, *, vocab_size: int, stop_ids: Collection[int]
) -> LLTokenizer:
    """Build it; takes seconds for 262,144 tokens.

    Args:
        vocab_size: of the model's scores; ids beyond the tokenizer's own are never allowed.
        stop_ids: ids that end an answer; the grammar allows them where it is complete.
    """
    source = TokenizerWrapper(_Source(tokenizer, vocab_size, stop_ids))
    return LLTokenizer(source, n_vocab=vocab_size, eos_token=sorted(stop_ids))
