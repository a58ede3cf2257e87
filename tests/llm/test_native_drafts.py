"""Which drafters the native kernels run beside a native model, and what is said of the others."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from native_models import random_drafter, random_model, shrunk_drafter
from native_products import native

from gemma4.cli.quantize.directory_job import plan_directory_job
from gemma4.config import DrafterConfig
from gemma4.config.huggingface.writer import write_config
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.speculator import Speculator
from gemma4.hub.store import Store
from gemma4.llm.drafts import Drafts, choose_drafter, open_drafts
from gemma4.llm.placement import Placement
from gemma4.model.drafter import Drafter
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.save import save_checkpoint


def saved(drafter: Drafter, config: DrafterConfig, directory: Path) -> Path:
    save_checkpoint(drafter, write_config(replace(config, stored_dtype="float32")), directory)
    return directory


def opened(size: str, directory: Path) -> Drafts:
    target = random_model(size)
    chosen = choose_drafter(directory, target.config, Store(directory.parent))
    placement = Placement(torch.device("cpu"), torch.float32, kernels=native())
    return open_drafts(directory, chosen, target, placement)


def answer(size: str, speculator: Speculator | None) -> list[int]:
    target = random_model(size)
    engine = open_engine(target, Limits(context=256), drafting=speculator, kernels=native())
    ids = torch.randint(1, 500, (50,), generator=torch.Generator().manual_seed(3))
    sampling = Sampling(temperature=0.0, max_tokens=60)
    request = engine.submit(engine.prepare(Prompt(ids=ids), sampling))
    found: list[int] = []
    while not request.is_over:
        for update in engine.step():
            assert update.error is None, update.error
            found += [choice.id for choice in update.choices]
    if speculator is not None:
        assert request.speculation is not None
        assert "failed" not in (request.speculation.off_reason or "")
    return found


@pytest.mark.parametrize("size", ["e2b", "31b"])
def test_a_drafter_of_fitting_widths_runs_on_the_kernels(size: str, tmp_path: Path) -> None:
    directory = saved(random_drafter(size), shrunk_drafter(size), tmp_path / "drafter")
    drafts = opened(size, directory)
    assert drafts.notes == ()
    assert answer(size, drafts.speculator) == answer(size, None)


def test_what_loading_a_drafter_did_is_said(tmp_path: Path) -> None:
    plain = saved(random_drafter("31b"), shrunk_drafter("31b"), tmp_path / "plain")
    packed = tmp_path / "packed"
    job = plan_directory_job(
        open_checkpoint(plain), find_recipe("w4a16"), packed, may_requantize=False, replaces=False
    )
    job.write(lambda _count: None)
    target = random_model("31b")
    chosen = choose_drafter(packed, target.config, Store(tmp_path))
    assert chosen is not None
    remark = replace(chosen.checkpoint, notes=("its head is odd",))
    placement = Placement(torch.device("cpu"), torch.float32)
    drafts = open_drafts(packed, replace(chosen, checkpoint=remark), target, placement)
    said, expanded = drafts.notes
    assert said == "drafter: its head is odd"
    assert expanded.startswith("drafter: quantized tensors were expanded to float32: ")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": {"intermediate_size": 48}}, "intermediate_size=48 is no multiple of 32"),
        ({"num_centroids": 64}, "8 clusters, or words in one, are fewer than 16"),
    ],
)
def test_another_runs_on_torch_and_is_said_to(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    config = shrunk_drafter("e2b")
    text = changes.pop("text", {})
    config = replace(config, text=replace(config.text, **text), **changes)
    drafter = Drafter(config).eval().requires_grad_(False)
    drafter.model.embed_tokens.weight.fill_(0.1)
    drafts = opened("e2b", saved(drafter, config, tmp_path / "drafter"))
    assert drafts.notes == (f"drafter: computing with torch, which is slower: {reason}",)
    assert answer("e2b", drafts.speculator) == answer("e2b", None)
