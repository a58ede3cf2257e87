"""Copies of tiny checkpoints with tensors changed, as a wrong converter would leave them."""

import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from tiny_loaded import checkpoint_directory
from torch import Tensor

Change = Callable[[Tensor], Tensor | None]


def faulty_copy(kind: str, directory: Path, changes: dict[str, Change]) -> Path:
    """Copy a tiny checkpoint into `directory`; tensors whose name ends so are changed, None drops one."""
    source = checkpoint_directory(kind)
    directory.mkdir()
    shutil.copy(source / "config.json", directory)
    tensors = load_file(source / "model.safetensors")
    for suffix, change in changes.items():
        names = [name for name in tensors if name.endswith(suffix)]
        assert names, f"no tensor ends with {suffix}"
        for name in names:
            changed = change(tensors.pop(name))
            if changed is not None:
                tensors[name] = changed.contiguous()
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory
