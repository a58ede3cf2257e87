"""Prefill and decode of the reference path beside transformers, on the same random weights, in one run.

    .venv/bin/python bench/against_transformers.py [--dtype bfloat16] [--prompt 512] [--rounds 7]

Prefill: one pass over the prompt, logits of the last token. Decode: one token at a time behind it.
Both sides take turns, so that a noisy machine disturbs both; the figure is the median of the ratios
of neighbours (above 1: ours is faster). The last line is JSON.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch

from gemma4.config import ModelConfig, plan_kv_groups
from gemma4.engine.prompt import Prompt
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.model.page_table import PageTable, blocks_of
from gemma4.model.paged_kv import PagedKV, PageStorage
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

VOCAB, LAYERS = 32_768, 15


def make_reference(directory: Path, dtype: torch.dtype):
    """A random model of E2B's form at about a quarter of its width, saved as a checkpoint."""
    from transformers import Gemma4ForCausalLM, Gemma4TextConfig

    config = Gemma4TextConfig(
        vocab_size=VOCAB,
        vocab_size_per_layer_input=VOCAB,
        hidden_size=1024,
        intermediate_size=4096,
        hidden_size_per_layer_input=128,
        num_hidden_layers=LAYERS,
        layer_types=(["sliding_attention"] * 4 + ["full_attention"]) * (LAYERS // 5),
        num_kv_shared_layers=5,
        use_double_wide_mlp=True,
        num_attention_heads=8,
        num_key_value_heads=1,
        head_dim=256,
        global_head_dim=512,
        sliding_window=512,
        final_logit_softcapping=30.0,
        max_position_embeddings=32_768,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {
                "rope_type": "proportional",
                "partial_rotary_factor": 0.25,
                "rope_theta": 1e6,
            },
        },
    )
    torch.manual_seed(0)
    Gemma4ForCausalLM._from_config(config).to(dtype).save_pretrained(directory)
    model = Gemma4ForCausalLM.from_pretrained(directory, dtype=dtype)
    return model.eval().requires_grad_(False)


def load_ours(directory: Path, dtype: torch.dtype) -> Gemma4:
    """The same weights through the production loader."""
    checkpoint = open_checkpoint(directory)
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=dtype)
    return model


def run_ours(model: Gemma4, ids: torch.Tensor, steps: int) -> tuple[float, float]:
    """Seconds of the prefill, and of a decode step."""
    length, one = ids.numel(), torch.zeros(1, dtype=torch.int64)
    groups = plan_kv_groups(model.decoder.specs)
    blocks = blocks_of(length + steps)
    storage = PageStorage(groups, [blocks] * len(groups), dtype=model.dtype, device=model.device)
    table = PageTable(len(groups))
    for pages in table.pages:
        pages.extend(range(blocks))
    start = time.perf_counter()
    kv = PagedKV(storage, [table])
    output = model(Prompt(ids=ids).batch(0, length, kv=kv, logit_rows=one + length - 1))
    filled = time.perf_counter()
    for position in range(length, length + steps):
        table.length = position
        batch = Batch(
            ids=one + int(output.logits[0].argmax()),
            positions=one + position,
            lengths=(1,),
            logit_rows=one,
            kv=PagedKV(storage, [table]),
        )
        output = model(batch)
    return filled - start, (time.perf_counter() - filled) / steps


def run_theirs(model, ids: torch.Tensor, steps: int) -> tuple[float, float]:
    """The same of transformers, with its default cache."""
    start = time.perf_counter()
    output = model(input_ids=ids[None], use_cache=True, logits_to_keep=1)
    filled = time.perf_counter()
    for _ in range(steps):
        token = output.logits[:, -1:].argmax(-1)
        output = model(input_ids=token, past_key_values=output.past_key_values, use_cache=True)
    return filled - start, (time.perf_counter() - filled) / steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    dtype = getattr(torch, options.dtype)
    ids = torch.randint(3, VOCAB, (options.prompt,), generator=torch.Generator().manual_seed(1))
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        theirs = make_reference(Path(folder), dtype)
        ours = load_ours(Path(folder), dtype)
        run_ours(ours, ids, 2), run_theirs(theirs, ids, 2)  # warm-up, not counted
        pairs = [
            (run_ours(ours, ids, options.decode), run_theirs(theirs, ids, options.decode))
            for _ in range(options.rounds)
        ]
    result: dict[str, object] = {
        "model": f"random, E2B's form, {LAYERS} layers, width 1024",
        "dtype": options.dtype,
        "prompt": options.prompt,
        "decode": options.decode,
        "rounds": options.rounds,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }
    for index, name, tokens in ((0, "prefill", options.prompt), (1, "decode", 1)):
        mine = tokens / statistics.median(pair[0][index] for pair in pairs)
        other = tokens / statistics.median(pair[1][index] for pair in pairs)
        ratio = statistics.median(pair[1][index] / pair[0][index] for pair in pairs)
        print(
            f"{name:8} ours {mine:8.1f} tok/s   transformers {other:8.1f} tok/s   ratio {ratio:.2f}"
        )
        result[name] = {"ours": mine, "transformers": other, "ratio": ratio}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
