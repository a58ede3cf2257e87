"""Write a published size in its true shape with random weights: what a benchmark needs, no download.

    .venv/bin/python bench/true_shape.py e2b DIR             DIR/e2b-q4_0.gguf, 3.3 GB
    .venv/bin/python bench/true_shape.py e2b DIR --layers 10    the last ten layers, for quick tests
    .venv/bin/python bench/true_shape.py e2b DIR --drafter      its drafter
    .venv/bin/python bench/true_shape.py e2b DIR --bf16         DIR/e2b-bf16, for transformers and vLLM

The GGUF has all linears in Q4_0, the embedding and the per-layer table in Q6_K, norms, factors and the
router in float32, and Gemma 4's tokenizer: llama.cpp and this package load it. Weights have the
deviation 1/√in and norms are near 1, so that numbers stay of the size that a trained model has.
The towers are left out. Memory stays below 1 GB. The last line is JSON. The drafters of E2B and E4B have
their ordered head, with which llama.cpp does not load them; the other three it does.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
from random_blocks import RandomTensor
from random_checkpoint import shorten, write_random_checkpoint
from shape_metadata import add_shape_keys, add_tokenizer

from gemma4.config import DrafterConfig, LayerKind, ModelConfig
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.tensors.entry import Role, TensorEntry, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.weights.gguf.names import ROPE_FREQS, rope_freq_factors

Encoding = gguf.GGMLQuantizationType

LOOKED_UP = (TensorKind.EMBEDDING, TensorKind.PER_LAYER_TABLE)
SPREAD = 0.05
"""Deviation of norms and factors around their mean."""

QUERY_NORM = 0.25
"""Mean of the norm on queries: scores of a few units, so that attention is no lottery."""


def write_true_shape(config: ModelConfig | DrafterConfig, path: Path) -> int:
    """Write the file; its size in bytes."""
    tensors = list(random_tensors(config))
    needed = sum(tensor.num_bytes for tensor in tensors)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise SystemExit(f"{path} takes {needed:,} bytes and {free:,} are free; free some space")
    unfinished = path.with_suffix(".part")
    drafts = isinstance(config, DrafterConfig)
    writer = gguf.GGUFWriter(unfinished, "gemma4-assistant" if drafts else "gemma4")
    writer.add_name(f"{path.stem}, random weights")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_shape_keys(writer, config)
    add_tokenizer(writer)
    for tensor in tensors:
        plain = np.dtype(np.float32)  # the encoding has the last word
        writer.add_tensor_info(tensor.name, tensor.shape, plain, tensor.num_bytes, tensor.encoding)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    _append_tensors(unfinished, tensors)
    unfinished.rename(path)
    return path.stat().st_size


def _append_tensors(path: Path, tensors: list[RandomTensor]) -> None:
    draw = np.random.Generator(np.random.SFC64(0))
    with path.open("ab") as file:
        file.write(b"\0" * (-file.tell() % gguf.GGUF_DEFAULT_ALIGNMENT))
        for tensor in tensors:
            for chunk in tensor.chunks(draw):
                chunk.tofile(file)
            file.write(b"\0" * (-tensor.num_bytes % gguf.GGUF_DEFAULT_ALIGNMENT))


def random_tensors(config: ModelConfig | DrafterConfig) -> Iterator[RandomTensor]:
    """Every tensor of the decoder in the table's order, and the rotation's factors."""
    if isinstance(config, ModelConfig):
        config = replace(config, vision=None, audio=None)
    for entry in tensor_table(config):
        yield _random_tensor(entry)
    factors = np.array(rope_freq_factors(config.text), dtype=np.float32)
    yield RandomTensor(name=ROPE_FREQS, shape=factors.shape, encoding=Encoding.F32, values=factors)


def _random_tensor(entry: TensorEntry) -> RandomTensor:
    name = entry.gguf_name
    if name is None:
        raise SystemExit(f"{entry.name} has no name in the GGUF format")
    if entry.kind is TensorKind.INDEX:
        order = np.random.Generator(np.random.SFC64(1)).permutation(entry.shape[0])
        values = order.astype(np.int64)
        return RandomTensor(name=name, shape=entry.shape, encoding=Encoding.I64, values=values)
    if entry.kind in (TensorKind.NORM, TensorKind.SCALE):
        mean = QUERY_NORM if "q_norm" in entry.name else 1.0
        return RandomTensor(
            name=name,
            shape=entry.shape,
            encoding=Encoding.F32,
            mean=mean,
            deviation=SPREAD * mean,
        )
    encoding = Encoding.Q6_K if entry.kind in LOOKED_UP else Encoding.Q4_0
    if entry.role is Role.ROUTER:
        encoding = Encoding.F32
    # A row of the per-layer table is one vector for each layer, scaled by its own width.
    columns = 256 if entry.kind is TensorKind.PER_LAYER_TABLE else entry.shape[-1]
    return RandomTensor(name=name, shape=entry.shape, encoding=encoding, deviation=columns**-0.5)


def check_sharing(config: ModelConfig) -> None:
    """Stop at a cut that llama.cpp aborts on: its last two owners of keys must slide and be full."""
    text = config.text
    owners = text.layer_kinds[max(text.first_shared_layer - 2, 0) : text.first_shared_layer]
    if text.num_kv_shared_layers and owners != (LayerKind.SLIDING, LayerKind.FULL):
        block = text.layer_kinds.index(LayerKind.FULL, 1) + 1
        raise SystemExit(
            f"{text.num_layers} layers leave no sliding and full layer in front of the sharing ones; "
            f"give a multiple of {2 * block}"
        )


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("size", choices=sorted(PUBLISHED_DRAFTERS))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--layers", type=int, help="keep only the last so many layers")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--drafter", action="store_true", help="the drafter of that size")
    kind.add_argument("--bf16", action="store_true", help="a directory of safetensors, bfloat16")
    options = parser.parse_args()
    started = time.perf_counter()
    options.directory.mkdir(parents=True, exist_ok=True)
    model = PUBLISHED_MODELS[options.size]
    if options.layers:
        model = shorten(model, options.layers)
        check_sharing(model)
    stem = options.size + (f"-{options.layers}layers" if options.layers else "")
    if options.bf16:
        path = options.directory / f"{stem}-bf16"
        size = write_random_checkpoint(model, path, "bfloat16", text_only=True)
    else:
        config = PUBLISHED_DRAFTERS[options.size] if options.drafter else model
        path = options.directory / f"{stem}{'-drafter' if options.drafter else ''}-q4_0.gguf"
        size = write_true_shape(config, path)
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"path": str(path), "bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    main()
