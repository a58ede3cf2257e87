"""`model_info` and `parameters` of `/api/show`, under the names that GGUF gives them."""

from collections.abc import Mapping
from typing import Any

from ...config import DrafterConfig, ModelConfig

_PARAMETER_NAMES = {"repetition_penalty": "repeat_penalty"}


def model_info(
    config: ModelConfig | DrafterConfig, *, parameters: int, context: int
) -> dict[str, Any]:
    """Numbers of a model; agents read `general.architecture` and then its `context_length`.

    Args:
        context: tokens that one request may have here, which may be fewer than the model was made for.
    """
    name = "gemma3" if config.family.startswith("gemma3") else "gemma4"
    text = config.text
    return {
        "general.architecture": name,
        "general.parameter_count": parameters,
        f"{name}.context_length": context,
        f"{name}.embedding_length": text.hidden_size,
        f"{name}.block_count": len(text.layer_kinds),
        f"{name}.feed_forward_length": text.intermediate_size,
        f"{name}.attention.head_count": text.num_heads,
        f"{name}.attention.head_count_kv": text.num_kv_heads,
        f"{name}.attention.key_length": text.full_head_dim,
        f"{name}.attention.key_length_swa": text.head_dim,
        f"{name}.attention.sliding_window": text.sliding_window,
        f"{name}.vocab_size": text.vocab_size,
    }


def parameters_text(sampling: Mapping[str, Any]) -> str:
    """Recommended settings, one on a line."""
    named = {_PARAMETER_NAMES.get(name, name): value for name, value in sampling.items()}
    return "\n".join(f"{name:<30} {value:g}" for name, value in named.items())
