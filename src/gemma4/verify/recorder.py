"""Listens to a model's modules while it runs. Letters: T tokens, R rows kept, D width, P patches.

Our modules and those of transformers have the same names inside a decoder and inside a tower, so one
description of where to listen serves both.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Select = Callable[[tuple[Any, ...], Any], Tensor]
"""From a module's positional arguments and its output, the values to keep [rows, width]."""

KEPT_TOWER_ROWS = 256


class Recorder:
    """Keeps what modules give, under names, in the order in which they first ran.

    Use it as a context: the hooks are gone afterwards. A module that runs several times (a tower, once
    for each picture) has its rows joined.
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._found: dict[str, list[Tensor]] = {}

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def watch(self, name: str, module: nn.Module, select: Select) -> None:
        """Keep what a module gives."""

        def keep(_module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            self._keep(name, select(arguments, output))

        self._handles.append(module.register_forward_hook(keep))

    def watch_input(self, name: str, module: nn.Module, select: Select) -> None:
        """Keep what a module is given as its first argument."""

        def keep(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
            self._keep(name, select(arguments, arguments[0]))

        self._handles.append(module.register_forward_pre_hook(keep))

    def states(self) -> Mapping[str, Tensor]:
        """Everything kept: name → float32 [rows, width] on the CPU."""
        return {name: thin(name, torch.cat(parts)) for name, parts in self._found.items()}

    def _keep(self, name: str, values: Tensor) -> None:
        self._found.setdefault(name, []).append(values.detach().float().cpu())


def thin(name: str, values: Tensor) -> Tensor:
    """Of a tower's many rows, some spread evenly; all of any other."""
    if not name.startswith(("vision", "audio")) or len(values) <= KEPT_TOWER_ROWS:
        return values
    rows = torch.linspace(0, len(values) - 1, KEPT_TOWER_ROWS).long()
    return values[rows]


def watch_decoder(
    recorder: Recorder,
    decoder: Any,
    kinds: Sequence[str],
    *,
    rows: Sequence[int],
    soft_rows: Sequence[int],
) -> None:
    """Listen to a decoder: soft tokens as they enter, embeddings, every layer, the final norm.

    Args:
        decoder: has `layers` and `norm`; they give [T, D] or [1, T, D].
        kinds: of the layers, for their names.
        rows, soft_rows: rows of the prompt to keep, and those that soft tokens fill.
    """
    kept = _rows(rows)
    layers = list(decoder.layers)
    if soft_rows:
        recorder.watch_input("soft tokens", layers[0], _rows(soft_rows))
    recorder.watch_input("embedding", layers[0], kept)
    for index, layer in enumerate(layers):
        kind = kinds[index].partition("_")[0] if index < len(kinds) else "?"
        recorder.watch(f"layer {index} ({kind})", layer, kept)
    recorder.watch("final norm", decoder.norm, kept)


def watch_vision(recorder: Recorder, tower: Any, select: Select) -> None:
    """Listen to a vision tower: patches as embedded, every layer."""
    recorder.watch("vision patches", tower.patch_embedder, select)
    for index, layer in enumerate(tower.encoder.layers):
        recorder.watch(f"vision layer {index}", layer, select)


def watch_audio(recorder: Recorder, tower: Any, subsampled: Select, select: Select) -> None:
    """Listen to an audio tower: frames after subsampling, every layer."""
    recorder.watch("audio frames", tower.subsample_conv_projection, subsampled)
    for index, layer in enumerate(tower.layers):
        recorder.watch(f"audio layer {index}", layer, select)


def _rows(rows: Sequence[int]) -> Select:
    index = torch.tensor(rows)

    def select(_arguments: tuple[Any, ...], output: Any) -> Tensor:
        values: Tensor = output[0] if isinstance(output, tuple) else output
        values = values.reshape(-1, values.shape[-1])  # [1, T, D] → [T, D]
        return values[index.to(values.device)]

    return select
