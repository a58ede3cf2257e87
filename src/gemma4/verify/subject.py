"""A side before it is loaded: which checkpoint, in which program, where and in what dtype."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
import torch

from ..config import DrafterConfig, ModelConfig
from ..config.huggingface.writer import write_config
from ..errors import CheckpointError, EnvironmentFault
from ..llm.placement import choose_placement
from ..model.gemma4 import build_model
from ..weights.checkpoint import Checkpoint, CheckpointFormat
from ..weights.load import is_plain, load_weights
from ..weights.open_checkpoint import open_checkpoint
from ..weights.save import save_checkpoint
from .our_side import OurSide
from .reference_side import VERSION, ReferenceSide, import_transformers
from .side import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One side of a comparison. Make one with `ours` or `in_transformers`."""

    program: Literal["gemma4", "transformers"]
    checkpoint: Checkpoint
    device: torch.device
    dtype: torch.dtype
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        assert isinstance(self.checkpoint.config, ModelConfig)
        return self.checkpoint.config

    @property
    def name(self) -> str:
        """For tables and messages: program, file, dtype and device."""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.program} ({self.checkpoint.path.name}, {dtype}, {self.device})"

    @property
    def encodings(self) -> frozenset[str]:
        """How the matrices are stored: `F32`, `BF16`, `Q4_0`, …"""
        tensors = self.checkpoint.source.tensors.values()
        return frozenset(tensor.encoding for tensor in tensors if len(tensor.shape) >= 2)

    @property
    def is_quantized(self) -> bool:
        """Whether any tensor is stored in blocks with scales."""
        return not all(is_plain(tensor) for tensor in self.checkpoint.source.tensors.values())

    @contextmanager
    def load(self) -> Iterator[Side]:
        """The side, loaded; forget it at the end, so that the other one has the memory.

        Raises:
            CheckpointError: the weights cannot be loaded.
            EnvironmentFault: not enough memory or disk, or no transformers.
        """
        self._check_memory()
        if self.program == "gemma4":
            yield OurSide(self.checkpoint, device=self.device, dtype=self.dtype)
            return
        with tempfile.TemporaryDirectory(prefix="gemma4-verify-") as folder:
            directory = self._plain_directory(Path(folder))
            yield ReferenceSide(directory, self.config, device=self.device, dtype=self.dtype)

    def _plain_directory(self, folder: Path) -> Path:
        """The checkpoint's directory, or one written from our reading of its weights."""
        if reads_unchanged(self.checkpoint):
            path = self.checkpoint.path
            return path if path.is_dir() else path.parent
        model = build_model(self.config)
        load_weights(model, self.checkpoint, dtype=self.dtype)
        dtype = str(self.dtype).removeprefix("torch.")
        target = folder / "expanded"
        save_checkpoint(model, write_config(replace(self.config, stored_dtype=dtype)), target)
        return target

    def _check_memory(self) -> None:
        tensors = self.checkpoint.source.tensors
        needed = self.dtype.itemsize * sum(math.prod(tensor.shape) for tensor in tensors.values())
        free = psutil.virtual_memory().available
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
        elif self.program == "gemma4" and self.encodings == {_ENCODINGS.get(self.dtype)}:
            return  # stays in the mapped file
        if needed > free:
            raise EnvironmentFault(
                f"{self.name} needs {needed / 2**30:.1f} GiB for its weights and "
                f"{free / 2**30:.1f} GiB are free; give --dtype bfloat16, or a smaller model"
            )


_ENCODINGS = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def ours(path: Path, *, device: str, dtype: str) -> Subject:
    """A checkpoint of any format in this project's model.

    Raises:
        InputError: it is damaged, or a drafter; or an unknown device or dtype.
    """
    checkpoint = _open(path)
    placement = choose_placement(checkpoint, device, dtype)
    return Subject(
        program="gemma4",
        checkpoint=checkpoint,
        device=placement.device,
        dtype=placement.dtype,
        notes=(*checkpoint.notes, *placement.notes),
    )


def in_transformers(path: Path, *, device: str, dtype: str) -> Subject:
    """A checkpoint in transformers. What it cannot read, it gets as plain numbers, with a note.

    Raises:
        InputError: see `ours`.
        EnvironmentFault: transformers is not installed.
    """
    version = import_transformers().__version__
    subject = replace(ours(path, device=device, dtype=dtype), program="transformers")
    notes = [*subject.notes]
    if version != VERSION:
        notes.append(f"transformers is {version}; the comparison was made with {VERSION}")
    if not reads_unchanged(subject.checkpoint):
        notes.append(
            f"transformers got the weights of {path.name} as this program read them, so the "
            "arithmetic is compared and not the reading; compare with the original directory too"
        )
    return replace(subject, notes=tuple(notes))


def reads_unchanged(checkpoint: Checkpoint) -> bool:
    """Whether transformers alone reads the checkpoint: plain safetensors."""
    plain = all(is_plain(tensor) for tensor in checkpoint.source.tensors.values())
    return checkpoint.format is CheckpointFormat.HUGGING_FACE and plain


def _open(path: Path) -> Checkpoint:
    checkpoint = open_checkpoint(path)
    if isinstance(checkpoint.config, DrafterConfig):
        raise CheckpointError(
            f"{path} is a drafter ({checkpoint.config.family}), which reads another model's keys and "
            "gives no logits alone; verify that model"
        )
    return checkpoint
