"""Drafters of both heads against transformers, on the target's own keys and values. float32."""

import pytest
import torch
from tiny_loaded import engine_prompt, loaded, loaded_drafter, logits_of, pages_for
from tiny_media import text_prompt
from tiny_models import DRAFTERS
from tiny_oracle import oracle_drafts
from tiny_towers import relative_error

from gemma4.config import LayerKind
from gemma4.model.drafter import BorrowedKV
from gemma4.model.embedding import embed_tokens

STEPS = 3


@pytest.mark.parametrize("kind", list(DRAFTERS))
@pytest.mark.parametrize("length", [24, 5])
@torch.inference_mode()
def test_drafts_equal_the_reference(kind: str, length: int) -> None:
    case = text_prompt(length, seed=2)
    target, drafter = loaded(DRAFTERS[kind]), loaded_drafter(kind)
    pages = pages_for(target)
    whole = engine_prompt(target, case)
    first = [length - 3]  # the last rows come in a second pass
    logits_of(target, whole, kv=pages.begin(first), end=length - 3)
    pages.end(first)
    kv, rows = pages.begin([3]), torch.tensor([2])
    output = target(whole.batch(length - 3, length, kv=kv, logit_rows=rows))
    pages.end([3])
    sources = {spec.kind: spec.index for spec in target.decoder.specs if spec.owns_kv}
    keys = {kind: kv.stored(sources[kind], 0) for kind in LayerKind}
    borrowed = BorrowedKV([keys], [length])

    token, hidden = output.logits.argmax(-1), output.hidden
    drafted, scores = [], []
    for _ in range(STEPS):
        embedding = embed_tokens(token, target.decoder.embed_tokens)
        draft = drafter(embedding, hidden, torch.tensor([length - 1]), borrowed)
        token, hidden = draft.logits.argmax(-1), draft.hidden
        drafted.append(int(token))
        scores.append(draft.logits[0])
    expected_ids, expected = oracle_drafts(kind, case, STEPS)
    assert drafted == expected_ids
    assert relative_error(torch.stack(scores), expected) < 1e-4


@pytest.mark.parametrize("kind", list(DRAFTERS))
@torch.inference_mode()
def test_requests_drafted_together_get_what_each_gets_alone(kind: str) -> None:
    """float32, 1e-5: the same sums in matrices of another height."""
    target, drafter = loaded(DRAFTERS[kind]), loaded_drafter(kind)
    lengths, sources = (24, 5, 11), {s.kind: s.index for s in target.decoder.specs if s.owns_kv}
    keys, rows = [], []
    for length in lengths:
        pages, whole = pages_for(target), engine_prompt(target, text_prompt(length, seed=length))
        kv, last = pages.begin([length]), torch.tensor([length - 1])
        rows.append(target(whole.batch(0, length, kv=kv, logit_rows=last)))
        pages.end([length])
        keys.append({layer: kv.stored(sources[layer], 0) for layer in LayerKind})
    tokens = torch.cat([row.logits.argmax(-1) for row in rows])
    embeddings = embed_tokens(tokens, target.decoder.embed_tokens)
    hidden = torch.cat([row.hidden for row in rows])
    positions = torch.tensor(lengths) - 1
    together = drafter(embeddings, hidden, positions, BorrowedKV(keys, lengths))
    for i, length in enumerate(lengths):
        one = slice(i, i + 1)
        kv = BorrowedKV(keys[one], [length])
        alone = drafter(embeddings[one], hidden[one], positions[one], kv)
        torch.testing.assert_close(together.logits[one], alone.logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(together.hidden[one], alone.hidden, rtol=1e-5, atol=1e-5)
