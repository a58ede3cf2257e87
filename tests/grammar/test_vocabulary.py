"""Vocabularies that are not as Gemma 4's: other numbers of scores, other special tokens."""

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import decoders, models, normalizers

from gemma4.errors import GrammarError
from gemma4.grammar import AnswerRule, Choices, Grammars, JsonObject, ThoughtRule, ToolRule
from gemma4.grammar.masks import Masks, bits_of
from gemma4.text.messages import Tool
from gemma4.text.tokens.tokenizer import SPACE, Tokenizer


def small_tokenizer() -> Tokenizer:
    """Bytes, a few letters, and an end of text: as a Gemma without thoughts and calls has it."""
    pieces = ["<unk>", "<bos>", "<eos>", *(f"<0x{byte:02X}>" for byte in range(256)), SPACE]
    vocab = {piece: id for id, piece in enumerate(pieces)}
    bpe = models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True)
    backend = tokenizers.Tokenizer(bpe)
    backend.normalizer = normalizers.Replace(" ", SPACE)
    backend.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    backend.add_special_tokens(["<unk>", "<bos>", "<eos>"])
    return Tokenizer(backend, origin="a test")


@pytest.mark.parametrize("vocab_size", [260, 261, 333, 4096])
def test_any_number_of_scores(vocab_size: int) -> None:
    """A model's table is often longer than the tokenizer's; its last rows mean nothing."""
    tokenizer = small_tokenizer()
    made = Grammars(tokenizer, vocab_size=vocab_size, stop_ids=[2]).constraint(
        AnswerRule(format=Choices(("yes",)))
    )
    for letter in "yes":
        left = made.restrict(torch.zeros(vocab_size))
        assert left.shape == (vocab_size,)
        [id] = np.flatnonzero(np.isfinite(left.numpy()))
        assert tokenizer.token_bytes(int(id)).decode() == letter
        made.accept(int(id))
    assert np.flatnonzero(np.isfinite(made.restrict(torch.zeros(vocab_size)).numpy())).tolist() == [
        2
    ]


def test_without_tokens_for_calls_tools_are_refused() -> None:
    grammars = Grammars(small_tokenizer(), vocab_size=260, stop_ids=[2])
    with pytest.raises(GrammarError, match=r"no token <\|tool_call>"):
        grammars.constraint(AnswerRule(tools=ToolRule(tools=[Tool(name="f", description="")])))


def test_without_channels_thoughts_mean_nothing() -> None:
    grammars = Grammars(small_tokenizer(), vocab_size=260, stop_ids=[2])
    rule = AnswerRule(format=JsonObject(), thought=ThoughtRule(allowed=True, budget=3))
    left = grammars.constraint(rule).restrict(torch.zeros(260))
    assert np.flatnonzero(np.isfinite(left.numpy())).tolist() == [3 + ord("{")]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.9, 1.0])
def test_masks_leave_what_they_allow(share: float) -> None:
    flags = torch.rand(1003, generator=torch.Generator().manual_seed(1)) < share
    scores = torch.randn(1003)
    masks = Masks(1003)
    for _ in range(2):  # the second from what was kept
        left = masks.apply(bits_of(flags.nonzero()[:, 0].tolist(), 1003), scores)
        assert torch.equal(left, torch.where(flags, scores, -torch.inf))
