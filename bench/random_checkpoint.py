"""Write a checkpoint of a published size with random weights: the true shapes, no download.

    .venv/bin/python bench/random_checkpoint.py e2b /tmp/e2b-random [--dtype bfloat16] [--layers 8]

Values repeat a block of normal numbers scaled to each tensor's width, so even the largest size is
written as fast as the disk takes it and memory stays small. Norms are near 1, clip bounds wide.
"""

import argparse
import json
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from gemma4.config import ModelConfig
from gemma4.config.huggingface.writer import write_config
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.tensors.entry import TensorEntry, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.text.tokens.packaged import packaged_tokenizer_json
from gemma4.weights.huggingface.names import checkpoint_name

BLOCK = 1 << 22
CODES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
STOP_IDS = [1, 106, 50]


def shorten(config: ModelConfig, layers: int) -> ModelConfig:
    """The last so many layers of a size, for a quicker run; sharing stays if it can."""
    text = config.text
    kinds = text.layer_kinds[-layers:]
    shared = min(text.num_kv_shared_layers, layers // 2)
    return replace(config, text=replace(text, layer_kinds=kinds, num_kv_shared_layers=shared))


def write_random_checkpoint(
    config: ModelConfig, directory: Path, dtype: str, *, text_only: bool = False
) -> int:
    """Write config.json, tokenizer.json, generation_config.json, model.safetensors; bytes of weights.

    Args:
        text_only: leave out the towers, and name everything as text-only classes do.
    """
    directory.mkdir(parents=True)
    config = replace(config, stored_dtype=dtype)
    model_type, written = config.family, write_config(config)
    if text_only:
        config = replace(config, vision=None, audio=None)
        written = _text_only(write_config(config), dtype)
        model_type = str(written["model_type"])
    (directory / "config.json").write_text(json.dumps(written, indent=1))
    (directory / "tokenizer.json").write_bytes(packaged_tokenizer_json())
    generation = {
        "do_sample": False,
        "eos_token_id": STOP_IDS,
        "bos_token_id": 2,
        "pad_token_id": 0,
    }
    (directory / "generation_config.json").write_text(json.dumps(generation))
    return _write_weights(config, model_type, directory / "model.safetensors", dtype)


def _text_only(written: dict[str, object], dtype: str) -> dict[str, object]:
    """The decoder's part of a config.json as one of its own."""
    text = written["text_config"]
    assert isinstance(text, dict)
    return {"architectures": ["Gemma4ForCausalLM"], "dtype": dtype, **text}


def _write_weights(config: ModelConfig, model_type: str, path: Path, dtype: str) -> int:
    entries = tensor_table(config)
    itemsize = getattr(torch, dtype).itemsize
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for entry in entries:
        end = offset + math.prod(entry.shape) * itemsize
        name = checkpoint_name(entry.name, model_type)
        header[name] = {
            "dtype": CODES[dtype],
            "shape": list(entry.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    normal = torch.randn(BLOCK, generator=torch.Generator().manual_seed(0))
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in entries:
            _write_tensor(file, entry, normal, dtype)
    return offset


def _write_tensor(file: BinaryIO, entry: TensorEntry, normal: torch.Tensor, dtype: str) -> None:
    total = math.prod(entry.shape)
    block = _values(entry, normal[: min(total, BLOCK)]).to(getattr(torch, dtype))
    data = block.contiguous().view(torch.uint8).numpy() if total else np.empty(0, np.uint8)
    whole, rest = divmod(total, BLOCK) if total > BLOCK else (1, 0)
    for _ in range(whole):
        file.write(data.tobytes())
    file.write(data[: rest * block.element_size()].tobytes())


def _values(entry: TensorEntry, normal: torch.Tensor) -> torch.Tensor:
    last = entry.name.rpartition(".")[2]
    if entry.kind is TensorKind.CLIP_BOUND:
        return torch.full_like(normal, -1e4 if last.endswith("min") else 1e4)
    if entry.kind is TensorKind.NORM:
        scale = 0.25 if "q_norm" in entry.name else 1.0
        return scale * (1.0 + 0.05 * normal)
    if entry.kind in (TensorKind.SCALE, TensorKind.BIAS):
        return 1.0 + 0.05 * normal if entry.kind is TensorKind.SCALE else 0.05 * normal
    scale = float(entry.shape[-1] ** -0.5)
    return normal * scale


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("size", choices=sorted(PUBLISHED_MODELS))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--dtype", default="bfloat16", choices=sorted(CODES))
    parser.add_argument("--layers", type=int, help="keep only the last so many layers")
    options = parser.parse_args()
    config = PUBLISHED_MODELS[options.size]
    if options.layers:
        config = shorten(config, options.layers)
    size = write_random_checkpoint(config, options.directory, options.dtype)
    print(json.dumps({"directory": str(options.directory), "weights_bytes": size}))


if __name__ == "__main__":
    main()
