"""Gemma 3 on native kernels: its values pass no norm, so they may leave the range of float16."""

import json
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path

import torch
from native_models import shrunk
from safetensors.torch import save_file

import gemma4
from gemma4.config import ModelConfig
from gemma4.config.huggingface.writer import write_config
from gemma4.config.published import VOCAB_SIZE
from gemma4.engine.engine import Engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.engine.update import Update
from gemma4.tensors.entry import TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.text.tokens.packaged import packaged_tokenizer_json

GREEDY = Sampling(temperature=0.0, max_tokens=4, logprobs=1)
FACTOR = 1e5  # values near 1e5; float16 ends at 65,504


def large_values(config: ModelConfig) -> dict[str, torch.Tensor]:
    """Random weights as a checkpoint stores them, those of the value projections large."""
    generator = torch.Generator().manual_seed(6)
    weights = {}
    for entry in tensor_table(config):
        values = torch.randn(entry.shape, generator=generator)
        matrix = entry.kind is TensorKind.LINEAR
        factor = FACTOR if "v_proj" in entry.name else 1.0
        scale = factor * entry.shape[-1] ** -0.5 if matrix else 0.2
        weights[entry.name] = (values * scale).to(torch.bfloat16)
    return weights


def steps(engine: Engine) -> Iterator[Update]:
    while not engine.is_idle:
        yield from engine.step()


def test_values_beyond_float16_are_kept(tmp_path: Path) -> None:
    small = shrunk("gemma3:270m")
    text = replace(small.text, vocab_size=VOCAB_SIZE, hidden_size=32)
    config = replace(small, text=text)
    save_file(large_values(config), tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(write_config(config)))
    (tmp_path / "tokenizer.json").write_bytes(packaged_tokenizer_json())
    llm = gemma4.load(tmp_path, context=256, drafter=None)
    assert llm.info.kernels not in ("torch", "cuda")
    assert llm.info.kv_dtype == "bfloat16"
    engine = llm.streams.engine
    request = engine.submit(engine.prepare(Prompt(ids=torch.arange(2, 50)), GREEDY))
    chosen = [choice for update in steps(engine) for choice in update.choices]
    assert len(chosen) == GREEDY.max_tokens
    assert request.error is None
    assert all(isfinite(choice.logprob) for choice in chosen)
