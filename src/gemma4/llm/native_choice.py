"""Whether the native kernels compute, and in what words it is said."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import DrafterConfig, ModelConfig, TextConfig
from ..errors import EnvironmentFault, InputError
from ..fit.native import COMPUTING
from ..kernels.native import Missing, Native, find_native

if TYPE_CHECKING:  # `gemma4 fit` asks for kernels and does not wait for torch
    import torch

AUTO, OFF = "auto", "off"
WIDTH = 32
"""Columns that the kernels take at a time: every width must be a multiple."""

FEWEST_ROWS = 16


@dataclass(frozen=True, slots=True)
class NativeChoice:
    """The kernels, or None for torch; and a sentence where a user may have expected the other."""

    native: Native | None
    notes: tuple[str, ...] = ()


def choose_native(
    config: ModelConfig,
    *,
    kernels: str,
    device: "torch.device",
    dtype: str,
    threads: int | None = None,
    obstacle: str | None = None,
) -> NativeChoice:
    """Native kernels on a processor unless told otherwise; a dtype asked for by name means torch.

    Args:
        kernels: `auto`, `off`, or an instruction set (`avx512-vnni`, `avx2`, `neon`, `portable`).
        threads: None takes the cores that this process may use.
        obstacle: why they cannot read the checkpoint, whatever its widths.

    Raises:
        EnvironmentFault: kernels asked for by name that cannot compute this model here.
        InputError: no such kernels on this processor, or kernels by name with a dtype that is not theirs.
    """
    if kernels == OFF:
        return NativeChoice(None)
    if kernels == AUTO and (device.type != "cpu" or dtype != AUTO):
        return NativeChoice(None)
    found = usable_kernels(config, kernels, threads=threads, obstacle=obstacle)
    if device.type != "cpu":
        found = Missing(f"native kernels compute on the CPU and the model is on {device}")
    if isinstance(found, Native):
        if dtype not in (AUTO, COMPUTING):
            raise InputError(
                f"kernels {kernels} compute in {COMPUTING} and dtype is {dtype}; "
                "give dtype auto, or kernels off"
            )
        return NativeChoice(found)
    if kernels != AUTO:
        raise EnvironmentFault(f"kernels {kernels} cannot be used: {found.reason}")
    return NativeChoice(None, (f"computing with torch, which is slower: {found.reason}",))


def usable_kernels(
    config: ModelConfig,
    kernels: str = AUTO,
    *,
    threads: int | None = None,
    obstacle: str | None = None,
) -> Native | Missing:
    """The kernels, if they are here and compute a model of these widths, and nothing else is in their way.

    Raises:
        InputError: no such kernels on this processor.
    """
    found = find_native(kernels=None if kernels == AUTO else kernels, num_threads=threads)
    if isinstance(found, Missing):
        return found
    reason = _obstacle(config.text) or obstacle
    return found if reason is None else Missing(reason)


def drafter_obstacle(config: DrafterConfig) -> str | None:
    """Why the kernels that compute a model cannot compute its drafter; None: they can."""
    if config.num_centroids:
        fewest = min(config.num_centroids, config.text.vocab_size // config.num_centroids)
        if fewest < FEWEST_ROWS:
            return f"{fewest} clusters, or words in one, are fewer than {FEWEST_ROWS}"
    return _obstacle(config.text)


def _obstacle(text: TextConfig) -> str | None:
    """Why the kernels cannot compute a model of these widths."""
    widths = {
        "hidden_size": text.hidden_size,
        "intermediate_size": text.intermediate_size,
        "head_dim": text.head_dim,
        "full_head_dim": text.full_head_dim,
        "per_layer_dim": text.per_layer_dim,
        "vocab_size": text.vocab_size,
    }
    if text.moe is not None:
        widths["expert width"] = text.moe.intermediate_size
        if text.moe.num_experts < FEWEST_ROWS:
            return f"{text.moe.num_experts} experts are fewer than {FEWEST_ROWS}"
    for name, width in widths.items():
        if width % WIDTH:
            return f"{name}={width} is no multiple of {WIDTH}"
    return None
