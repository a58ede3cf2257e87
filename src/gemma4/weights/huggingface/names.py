"""Names in Hugging Face checkpoints to module paths and back.

Published Gemma 4 files have our module paths. Others differ: text-only classes and Gemma 3 put the
decoder at `model.`; transformers keeps the 12B's embedders under `model.embed_vision` in memory;
quantizers store experts one by one; Gemma 3 stores its norms less one.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from ...config import DrafterConfig, ModelConfig
from ...errors import CheckpointError
from ...tensors.table import LANGUAGE_MODEL, tensor_table
from ..derived import JoinedTensor, NamedSource, Place, with_offset
from ..source import StoredTensor, TensorSource

_DECODER = re.compile(r"model\.(embed_tokens|norm\.|layers\.|per_layer_)")
_EMBEDDER = re.compile(r"model\.embed_vision\.(patch_|pos_)")
_PROJECTOR = "model.embed_vision.multimodal_embedder.embedding_projection."
_EXPERT = re.compile(r"(.*\.experts\.)(\d+)\.(gate|up|down)_proj\.weight")

TEXT_ONLY_TYPES = frozenset({"gemma4_text", "gemma4_unified_text", "gemma3_text"})
"""Values of `model_type` in config.json whose checkpoints have the decoder at `model.`."""


def module_path(name: str, config: ModelConfig | DrafterConfig) -> str:
    """Path in the model of a tensor in a Hugging Face checkpoint; an unknown name stays as is."""
    if isinstance(config, DrafterConfig):
        return name
    if _DECODER.match(name):
        return LANGUAGE_MODEL + name.removeprefix("model.")
    if config.family == "gemma4_unified":
        if _EMBEDDER.match(name):
            return name.replace("embed_vision", "vision_embedder", 1)
        if name.startswith(_PROJECTOR):
            return name.replace("multimodal_embedder.", "", 1)
    return name


def checkpoint_name(path: str, model_type: str) -> str:
    """Name of a module path's tensor in a checkpoint of this `model_type`."""
    if model_type in TEXT_ONLY_TYPES and path.startswith(LANGUAGE_MODEL):
        return "model." + path.removeprefix(LANGUAGE_MODEL)
    return path


def model_source(source: TensorSource, config: ModelConfig | DrafterConfig) -> NamedSource:
    """Show a checkpoint's tensors under module paths, with the model's values.

    Raises:
        CheckpointError: two names mean the same tensor.
    """
    tensors: dict[str, StoredTensor] = {}
    for name, tensor in source.tensors.items():
        path = module_path(name, config)
        if path in tensors:
            raise CheckpointError(
                f"{source.path} has the tensor {path} twice, as {tensors[path].name} and {name}; "
                "remove one"
            )
        tensors[path] = tensor
    tensors = _join_experts(tensors)
    for entry in tensor_table(config):
        if entry.file_offset and entry.name in tensors:
            tensors[entry.name] = with_offset(tensors[entry.name], entry.file_offset)
    return NamedSource(path=source.path, tensors=tensors)


def _join_experts(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Join experts stored one by one: gate and up [F, D] → [E, 2F, D], down [D, F] → [E, D, F]."""
    joined: dict[str, StoredTensor] = {}
    gate_up: dict[str, list[tuple[Place, StoredTensor]]] = defaultdict(list)
    down: dict[str, list[tuple[Place, StoredTensor]]] = defaultdict(list)
    for path, tensor in tensors.items():
        match = _EXPERT.fullmatch(path)
        if match is None or len(tensor.shape) != 2:
            joined[path] = tensor
            continue
        layer, expert, width = match[1], int(match[2]), tensor.shape[0]
        match match[3]:
            case "gate":
                gate_up[f"{layer}gate_up_proj"].append(((expert, slice(0, width)), tensor))
            case "up":
                gate_up[f"{layer}gate_up_proj"].append(((expert, slice(width, None)), tensor))
            case _:
                down[f"{layer}down_proj"].append(((expert,), tensor))
    for path, parts in gate_up.items():
        joined[path] = _joined(path, parts, rows=2 * parts[0][1].shape[0], per_expert=2)
    for path, parts in down.items():
        joined[path] = _joined(path, parts, rows=parts[0][1].shape[0], per_expert=1)
    return joined


def _joined(
    path: str, parts: list[tuple[Place, StoredTensor]], *, rows: int, per_expert: int
) -> JoinedTensor:
    """One tensor of experts 0 … E − 1, each with all its parts."""
    found = sorted(str(place) for place, _ in parts)
    experts = len(parts) // per_expert
    numbers = {place[0] for place, _ in parts}
    if len(found) != len(set(found)) or numbers != set(range(experts)) or len(parts) % per_expert:
        raise CheckpointError(
            f"{path} is stored as {len(parts)} parts of {len(numbers)} experts, and some "
            "are missing; the checkpoint is incomplete"
        )
    return JoinedTensor(name=path, shape=(experts, rows, parts[0][1].shape[1]), parts=tuple(parts))
