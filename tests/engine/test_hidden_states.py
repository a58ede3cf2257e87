"""Hidden states chunk by chunk against one pass of the modules, in float32."""

import pytest
import torch
from native_models import SIZES, VOCAB, random_model

from gemma4.engine.hidden_states import HiddenStates
from gemma4.kernels.native import Native, find_native
from gemma4.model.batch import Batch
from gemma4.model.kv import PassKV

LENGTHS = (1, 32, 150)


def ids_of(length: int) -> list[int]:
    generator = torch.Generator().manual_seed(length)
    return torch.randint(VOCAB, (length,), generator=generator).tolist()


def reference(size: str, ids: list[int]) -> torch.Tensor:
    decoder = random_model(size).decoder
    rows = torch.arange(len(ids))
    with torch.inference_mode():
        return decoder(
            Batch(
                ids=torch.tensor(ids), positions=rows, lengths=(len(ids),), logit_rows=rows,
                kv=PassKV(decoder.specs),
            )
        )  # fmt: skip


def native() -> Native:
    found = find_native(num_threads=1)
    if not isinstance(found, Native):
        pytest.skip(found.reason)
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("with_kernels", [False, True])
def test_chunks_give_what_one_pass_gives(size: str, with_kernels: bool) -> None:
    states = HiddenStates(
        random_model(size),
        length=max(LENGTHS),
        kv_dtype=torch.float32,
        kernels=native() if with_kernels else None,
        chunk=48,
    )
    for length in LENGTHS:
        ids = ids_of(length)
        found = list(states.read(ids))
        assert [len(one) for one in found] == [48] * (length // 48) + [length % 48]
        # Sums in another order: float32, relative to numbers of about 1.
        torch.testing.assert_close(torch.cat(found), reference(size, ids), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("with_kernels", [False, True])
def test_a_text_reads_the_same_after_any_other(with_kernels: bool) -> None:
    kernels = native() if with_kernels else None

    def states() -> HiddenStates:
        return HiddenStates(
            random_model("e2b"), length=150, kv_dtype=torch.float32, kernels=kernels, chunk=48
        )

    alone = torch.cat(list(states().read(ids_of(70))))
    used = states()
    list(used.read(ids_of(150)))
    assert torch.equal(torch.cat(list(used.read(ids_of(70)))), alone)


def test_a_longer_text_than_planned_is_a_mistake() -> None:
    states = HiddenStates(random_model("e2b"), length=8, kv_dtype=torch.float32)
    with pytest.raises(AssertionError, match="9 ids and room for 8"):
        next(states.read(ids_of(9)))
