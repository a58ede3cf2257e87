"""How far the new weights' answers are from the source's, on a short text."""

import gc
from dataclasses import astuple, dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from ...config import ModelConfig
from ...engine.encode import place_media
from ...errors import InputError
from ...fit.expansion import expanded_dtype
from ...llm.assets import read_tokenizer
from ...llm.placement import DTYPES, Placement, explaining_memory, free_bytes
from ...model.gemma4 import build_model
from ...model.kv import PassKV
from ...verify.divergence import Divergence, diverge
from ...verify.probes import PASSAGE
from ...weights.checkpoint import Checkpoint
from ...weights.load import load_weights

MAX_TOKENS = 512
"""Of a text of the user's own: its logits are held twice, 1 MB a token."""

_SPREAD_IDS = 128  # where there is no tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The divergence of the new weights from the source's.

    Attributes:
        tokens: compared.
        text: what was read, in words.
        dtype: of the arithmetic on both sides.
    """

    divergence: Divergence
    tokens: int
    text: str
    dtype: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """What both sides read: its ids, and what it is in words."""

    ids: tuple[int, ...]
    name: str


def compare(source: Checkpoint, result: Checkpoint, passage: Passage) -> Comparison:
    """Run a passage through both; the weights are expanded, one model in memory at a time.

    Raises:
        EnvironmentFault: a model does not fit in memory.
    """
    ids = list(passage.ids)
    cpu = torch.device("cpu")
    sizes = (prod(tensor.shape) for tensor in result.source.tensors.values())
    dtype = DTYPES[expanded_dtype(sum(sizes), free_bytes(cpu))]
    placement = Placement(cpu, dtype)
    reference = _logits(source, ids, placement)
    found = _logits(result, ids, placement)
    return Comparison(
        divergence=diverge(found, reference),
        tokens=len(ids),
        text=passage.name,
        dtype=str(dtype).removeprefix("torch."),
    )


def read_passage(checkpoint: Checkpoint, text: Path | None) -> Passage:
    """The user's text, or the built-in one; ids without meaning where there is no tokenizer.

    Raises:
        InputError: the text cannot be read, or there is no tokenizer for it.
    """
    config = checkpoint.config
    assert isinstance(config, ModelConfig)
    size = config.text.vocab_size
    if checkpoint.tokenizer is None and (size < 200_000 or config.family == "gemma3"):
        if text is not None:
            raise InputError(
                f"{checkpoint.path} came with no tokenizer, so {text} cannot be read; leave out "
                "--calibration-text"
            )
        media = {*astuple(config.media_tokens)}
        spread = [index * index * 7919 % size for index in range(1, _SPREAD_IDS)]
        spread = [token for token in spread if token not in media]
        ids = [min(config.bos_id, size - 1), *spread]
        return Passage(ids=tuple(ids), name="ids spread over the vocabulary")
    tokenizer, _ = read_tokenizer(checkpoint, size)
    words = PASSAGE if text is None else _read(text)
    ids = [tokenizer.bos_id, *tokenizer.encode(words)]
    name = "the built-in passage" if text is None else str(text)
    limit = min(MAX_TOKENS, config.text.max_positions)
    return Passage(
        ids=tuple(ids[:limit]),
        name=name if len(ids) <= limit else f"the first {limit} tokens of {name}",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; give a UTF-8 text file") from error


@torch.inference_mode()
def _logits(checkpoint: Checkpoint, ids: list[int], placement: Placement) -> Tensor:
    """Logits [T, V] of one pass, float32."""
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    with explaining_memory(checkpoint, placement):
        load_weights(model, checkpoint, dtype=placement.dtype)
    decoder = model.decoder
    prompt = place_media(model, ids, ())
    batch = prompt.batch(0, len(ids), kv=PassKV(decoder.specs), logit_rows=torch.arange(len(ids)))
    logits = decoder.logits(decoder(batch)).float()
    del model, decoder, prompt, batch
    gc.collect()  # before the other model comes into memory
    return logits
