"""Vectors of texts and log-probabilities of their tokens, against `LLM.logits` and the modules."""

from functools import cache

import pytest
import torch
from tiny_chat import tiny_chat_directory

from gemma4 import load
from gemma4.llm.llm import LLM
from gemma4.llm.reading import embeddings, token_logprobs
from gemma4.model.batch import Batch
from gemma4.model.kv import PassKV

TEXTS = ["Hello.", "Why is the sky blue?", "word " * 700]


@cache
def llm(kernels: str) -> LLM:
    return load(tiny_chat_directory(), kernels=kernels, drafter=None, context=2048)


def ids_of(text: str) -> tuple[int, ...]:
    tokenizer = llm("off").tokenizer
    return (tokenizer.bos_id, *tokenizer.encode(text))


def vectors(model: LLM, *texts: str, dimensions: int | None = None) -> list[torch.Tensor]:
    found = embeddings(model, [ids_of(text) for text in texts], dimensions=dimensions)
    return [one for one in found if one is not None]


def pooled(text: str) -> torch.Tensor:
    """The definition: mean of hidden states after the final norm, scaled to length 1."""
    ids, decoder = ids_of(text), llm("off").model.decoder
    rows = torch.arange(len(ids))
    with torch.inference_mode():
        hidden = decoder(
            Batch(
                ids=torch.tensor(ids), positions=rows, lengths=(len(ids),), logit_rows=rows,
                kv=PassKV(decoder.specs),
            )
        )  # fmt: skip
    mean = hidden.mean(0)
    return mean / mean.norm()


@pytest.mark.parametrize("kernels", ["off", "auto"])
def test_a_vector_is_the_pooled_hidden_states(kernels: str) -> None:
    for text, vector in zip(TEXTS, vectors(llm(kernels), *TEXTS), strict=True):
        assert vector.dtype == torch.float32
        assert float(vector.norm()) == pytest.approx(1.0, abs=1e-6)
        # float32; native kernels keep keys and values in 16 bits.
        tolerance = 1e-5 if kernels == "off" else 3e-3
        torch.testing.assert_close(vector, pooled(text), atol=tolerance, rtol=0)


@pytest.mark.parametrize("kernels", ["off", "auto"])
def test_company_changes_no_bit(kernels: str) -> None:
    together = vectors(llm(kernels), *TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert torch.equal(vectors(llm(kernels), text)[0], vector)


def test_fewer_dimensions_are_the_first_ones_rescaled() -> None:
    (whole,), (short,) = vectors(llm("off"), "Hi."), vectors(llm("off"), "Hi.", dimensions=8)
    torch.testing.assert_close(short, whole[:8] / whole[:8].norm())


def test_a_long_text_takes_several_passes() -> None:
    found = list(embeddings(llm("off"), [ids_of(TEXTS[2])]))
    chunk = llm("off").streams.engine.limits.prefill_chunk
    passes = -(-len(ids_of(TEXTS[2])) // chunk)
    assert passes > 1
    assert [one is None for one in found] == [True] * passes + [False]


@pytest.mark.parametrize("text", TEXTS)
def test_logprobs_are_those_of_the_logits(text: str) -> None:
    model, ids = llm("off"), ids_of(text)
    found = [one for part in token_logprobs(model, ids, top=2) for one in part]
    expected = torch.log_softmax(model.logits(ids[:-1]), dim=-1)
    assert [one.id for one in found] == list(ids[1:])
    for row, one in enumerate(found):
        assert one.text == model.tokenizer.decode([one.id])
        assert one.logprob == pytest.approx(float(expected[row, one.id]), abs=1e-4)  # float32
        best = expected[row].topk(2)
        assert [score for _, _, score in one.top] == pytest.approx(best.values.tolist(), abs=1e-4)


def test_one_token_has_nothing_before_it() -> None:
    assert list(token_logprobs(llm("off"), (2,))) == [[]]
