"""Keys of config.json that are passed over, each with its reason; others are read or refused."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..section import Section

IGNORED_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "architectures": "class name in transformers; model_type decides",
        "model_type": "read before the sections are",
        "transformers_version": "provenance",
        "_name_or_path": "provenance",
        "unsloth_version": "provenance",
        "unsloth_fixed": "provenance",
        "initializer_range": "only for training from nothing",
        "use_cache": "a run-time choice of transformers",
        "cache_implementation": "a run-time choice of transformers",
        "_attn_implementation": "a run-time choice of transformers",
        "_attn_implementation_autoset": "a run-time choice of transformers",
        "attn_implementation": "a run-time choice of transformers",
        "output_hidden_states": "what transformers returns",
        "output_attentions": "what transformers returns",
        "return_dict": "what transformers returns",
        "chunk_size_feed_forward": "splits a computation, does not change it",
        "id2label": "labels of classifiers",
        "label2id": "labels of classifiers",
        "problem_type": "labels of classifiers",
        "quantization_config": "read with the weights, which it describes",
    }
)
"""Key → why it changes nothing here."""


def ignore_common(section: Section) -> None:
    """Pass over `IGNORED_KEYS`; refuse fields any object may carry that would change the model."""
    section.ignore(IGNORED_KEYS)
    section.demand("is_encoder_decoder", (False,), "the decoder stands alone")
    # Some quantizers write a head of its own, equal to the embedding: the loader compares the two.
    section.flag("tie_word_embeddings", True)
    section.demand("attention_dropout", (0, 0.0), "dropout is not implemented; give 0")
    section.demand("attention_bias", (False,), "no published model has biases in attention")


def read_dtype(section: Section) -> str | None:
    """Read `dtype` or its old name `torch_dtype`; None if neither is there."""
    found: list[str] = []
    for key in ("dtype", "torch_dtype"):
        value = section.raw(key)
        if value is None:
            continue
        name = value.removeprefix("torch.") if isinstance(value, str) else ""
        if name in ("bfloat16", "float16", "float32"):
            found.append(name)
        else:
            section.report(key, "is not supported; supported: bfloat16, float16, float32")
    if len(set(found)) > 1:
        section.report("dtype", f"= {found[0]} but torch_dtype = {found[1]}; give one")
    return found[0] if found else None
