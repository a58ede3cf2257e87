"""Drafters of both heads against transformers, on the target's own keys and values. float32."""

import pytest
import torch
from tiny_loaded import dense_kv, engine_prompt, loaded, loaded_drafter, logits_of
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
    kv = dense_kv(target)
    whole = engine_prompt(target, case)
    logits_of(target, whole, kv=kv, end=length - 3)  # the last rows come in a second pass
    rows = torch.tensor([2])
    output = target(whole.batch(length - 3, length, kv=kv, logit_rows=rows))
    sources = {spec.kind: spec.index for spec in target.decoder.specs if spec.owns_kv}
    keys = {kind: kv.stored(sources[kind], 0) for kind in LayerKind}
    borrowed = BorrowedKV(keys, length)

    token, hidden = int(output.logits[0].argmax()), output.hidden[0]
    drafted, scores = [], []
    for _ in range(STEPS):
        embedding = embed_tokens(torch.tensor(token), target.decoder.embed_tokens.weight)
        draft = drafter(embedding, hidden, length - 1, borrowed)
        token, hidden = int(draft.logits.argmax()), draft.hidden
        drafted.append(token)
        scores.append(draft.logits)
    expected_ids, expected = oracle_drafts(kind, case, STEPS)
    assert drafted == expected_ids
    assert relative_error(torch.stack(scores), expected) < 1e-4
