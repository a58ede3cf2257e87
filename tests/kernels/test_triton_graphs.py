"""The runner of decode steps, which on a CPU runs them launch by launch, and the choice of kernels."""

from collections.abc import Callable

import pytest
import torch
from triton_models import fused, random_state, small_config

from gemma4.kernels import cuda
from gemma4.kernels.cuda import CudaKernels, NoKernels, load_kernels
from gemma4.kernels.cuda.graphs import DecodeRunner, StepBuffers
from gemma4.kernels.cuda.scored import Scored


def runner(
    step: Callable[[StepBuffers], Scored], sizes: tuple[int, ...] = (1, 2, 4)
) -> DecodeRunner:
    return DecodeRunner(
        step,
        table_widths=(3, 5),
        per_layer_width=4,
        dtype=torch.float32,
        device=torch.device("cpu"),
        sizes=sizes,
    )


def test_batches_are_filled_up_with_rows_that_stand_for_nobody() -> None:
    seen: list[StepBuffers] = []

    def step(buffers: StepBuffers) -> Scored:
        seen.append(buffers)
        ids = buffers.ids[:, None].float()
        return Scored(ids, ids * 10)

    decode = runner(step)
    decode.record()
    for count in (3, 1, 2, 4, 3):
        ids = torch.arange(count) + 5
        tables = [torch.full((count, 2), 7).int(), torch.full((count, 5), 8).int()]
        scored = decode.run(ids, torch.full((count,), 9), tables, torch.ones(count, 4))
        assert scored.hidden.tolist() == [[float(id)] for id in ids.tolist()]
        assert scored.logits.tolist() == [[10.0 * id] for id in ids.tolist()]
        buffers = seen[-1]
        assert len(buffers.ids) == {1: 1, 2: 2, 3: 4, 4: 4}[count]
        assert buffers.positions.tolist() == [9] * count + [-1] * (len(buffers.ids) - count)
        assert buffers.tables[0][:count].tolist() == [[7, 7, -1]] * count
        decode.check()
    assert len({id(buffers.ids) for buffers in seen}) == 3  # a size keeps its buffers


def test_what_a_step_gave_outlives_the_next() -> None:
    kept = Scored(torch.zeros(1, 1), torch.zeros(1, 1))

    def step(buffers: StepBuffers) -> Scored:
        for part in kept:
            part.copy_(buffers.ids[:, None])
        return kept

    decode = runner(step, sizes=(1,))
    tables = [torch.zeros(1, 1).int()] * 2
    arguments = (torch.zeros(1), tables, torch.zeros(1, 4))
    first = decode.run(torch.tensor([3]), *arguments)
    decode.run(torch.tensor([4]), *arguments)
    assert [part.tolist() for part in first] == [[[3.0]], [[3.0]]]


def test_too_many_requests_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="5 requests in a step of at most 4"):
        runner(lambda buffers: Scored(buffers.ids, buffers.ids)).run(
            torch.zeros(5), torch.zeros(5), []
        )


def test_a_recorded_step_is_the_decoder_s() -> None:
    """float32, to the bit: padding changes nothing for the others."""
    torch.manual_seed(0)
    config = small_config("dense")
    state = random_state(config)
    model, tables = fused(config, dict(state), requests=2)
    prompts = torch.randint(0, 64, (2, 6))
    positions = torch.arange(6).repeat(2)
    model.prefill(model.embed(prompts.flatten()), positions, (6, 6), torch.empty(0).long(), tables)
    decode = DecodeRunner(
        lambda b: model.decode(b.ids, b.positions, b.tables, b.per_layer_tokens),
        table_widths=[table.shape[1] for table in tables],
        per_layer_width=0,
        dtype=torch.float32,
        device=torch.device("cpu"),
        sizes=(4,),
    )
    ids, at = torch.tensor([5, 6]), torch.tensor([6, 6]).int()
    found, expected = decode.run(ids, at, tables), model.decode(ids, at, tables)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.hidden, expected.hidden)


def test_without_a_gpu_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load_kernels() == NoKernels(
        "GPU kernels are off: torch finds no CUDA device"
        f"{'' if torch.version.cuda else '; this torch is built without CUDA'}."
    )


def test_other_reasons_and_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    assert load_kernels() == NoKernels(
        "GPU kernels are off: Tesla V100 has compute capability 7.0; they need 8.0."
    )
    monkeypatch.setattr(cuda, "find_spec", lambda _name: None)
    found = load_kernels()
    assert isinstance(found, NoKernels)
    assert "pip install 'gemma4[gpu]'" in found.reason
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    kernels = load_kernels()
    assert isinstance(kernels, CudaKernels)
    assert kernels.runner is DecodeRunner
