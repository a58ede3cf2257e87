"""Which files of a repository make up the model, and what its quantization is called."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ModelNotFoundError

_SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)
_LICENCE_FILES = ("LICENSE*", "LICENCE*", "NOTICE*", "GEMMA_TERMS*", "USE_POLICY*")
_WEIGHT_FILES = ("model*.safetensors", "model.safetensors.index.json")
# Towers first in their own precision: other kinds degrade audio.
_PROJECTOR_ORDER = ("BF16", "F32", "F16", "Q8_0")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_QUANTIZATION = re.compile(
    r"(?:^|[-_.])(IQ\d_[A-Z]+|Q\d(?:_[01KSML]+)+|W\d+A\d+|BF16|F16|F32)(?=[-_.]|$)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a user may choose about a repository.

    Attributes:
        revision: branch, tag or commit; None is the newest of the main branch.
        quantization: which GGUF, where there are several, such as `Q4_K_M`; case does not matter.
        include: patterns of further files, that are left out by default.
    """

    revision: str | None = None
    quantization: str | None = None
    include: tuple[str, ...] = ()


def is_licence_file(path: str) -> bool:
    """Whether a file of a repository holds the licence's text."""
    return any(fnmatch(path.upper(), pattern) for pattern in _LICENCE_FILES)


def is_projector(path: str) -> bool:
    """Whether a GGUF holds the media towers rather than a decoder."""
    return "mmproj" in PurePosixPath(path).name.lower()


def select_files(paths: Sequence[str], choice: Choice, repository: str) -> tuple[str, ...]:
    """Choose the files to download, sorted. `paths`: every file of the repository.

    Raises:
        ModelNotFoundError: no weights, no such quantization, or several GGUFs and none named.
    """
    ggufs = [path for path in paths if path.lower().endswith(".gguf")]
    weights = [path for path in paths if any(fnmatch(path, known) for known in _WEIGHT_FILES)]
    if choice.quantization is not None or not weights:
        weights = _select_ggufs(ggufs, choice.quantization, repository)
    chosen = {path for path in paths if path in _SMALL_FILES or is_licence_file(path)}
    chosen |= {path for path in paths if any(fnmatch(path, glob) for glob in choice.include)}
    return tuple(sorted(chosen | set(weights)))


def _select_ggufs(ggufs: Sequence[str], quantization: str | None, repository: str) -> list[str]:
    decoders = [path for path in ggufs if not is_projector(path) and "imatrix" not in path.lower()]
    if not decoders:
        raise ModelNotFoundError(
            f"{repository} holds no weights that can be loaded: neither model*.safetensors nor "
            ".gguf; choose another repository"
        )
    wanted = [p for p in decoders if quantization is None or _names(p, quantization)]
    whole = [path for path in wanted if not _SPLIT.search(path)]
    if wanted and not whole:
        raise ModelNotFoundError(
            f"{repository} holds {wanted[0]} and its like only as parts, read are single files; "
            "choose another quantization or repository"
        )
    if len(whole) != 1:
        kinds = ", ".join(sorted({label_of_file(path) or path for path in decoders}))
        found = f"{len(whole)} GGUF files" + (f" of {quantization}" if quantization else "")
        raise ModelNotFoundError(f"{repository} holds {found}; choose one of: {kinds} with --quant")
    projectors = sorted((p for p in ggufs if is_projector(p)), key=_projector_rank)
    return whole + projectors[:1]


def _names(path: str, quantization: str) -> bool:
    label = label_of_file(path)
    return label is not None and label.upper() == quantization.upper()


def _projector_rank(path: str) -> int:
    label = label_of_file(path)
    return _PROJECTOR_ORDER.index(label) if label in _PROJECTOR_ORDER else len(_PROJECTOR_ORDER)


def label_of_file(path: str) -> str | None:
    """The quantization that a file's name speaks of, in capitals, or None."""
    labels = _QUANTIZATION.findall(PurePosixPath(path).name)
    return str(labels[-1]).upper() if labels else None


def label_of_model(folder: Path, paths: Sequence[str]) -> str:
    """The quantization of a downloaded model: of its GGUF's name, else of its config.json."""
    for path in paths:
        if path.lower().endswith(".gguf") and not is_projector(path):
            return label_of_file(path) or "GGUF"
    config = _read_json(folder / "config.json")
    scheme = config.get("quantization_config")
    if isinstance(scheme, dict):
        return _label_of_scheme(scheme)
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "unknown")
    return {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}.get(dtype, dtype)


def _label_of_scheme(scheme: dict[str, Any]) -> str:
    groups = scheme.get("config_groups")
    if isinstance(groups, dict):
        for group in groups.values():
            if isinstance(weights := group.get("weights"), dict) and "num_bits" in weights:
                inputs = group.get("input_activations") or {}
                return f"W{weights['num_bits']}A{inputs.get('num_bits', 16)}"
    return str(scheme.get("quant_method", "quantized"))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return document if isinstance(document, dict) else {}
