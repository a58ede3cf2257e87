"""Open a checkpoint and make it talk."""

import time
from pathlib import Path

from ..config import DrafterConfig, ModelConfig
from ..config.generation import GenerationDefaults
from ..errors import CheckpointError, ContextError
from ..hub.names import resolve
from ..hub.store import Store, default_root
from ..model.gemma4 import Gemma4, build_model
from ..text.templates.template_choice import choose_template
from ..text.tokens.tokenizer import Tokenizer
from ..weights.checkpoint import Checkpoint
from ..weights.load import LoadReport, load_weights
from ..weights.open_checkpoint import open_checkpoint
from .assets import read_defaults, read_template_source, read_tokenizer, template_style
from .llm import LLM, ModelInfo
from .options import recommended
from .placement import Placement, choose_placement, explaining_memory

CHAT_ENDS = ("<turn|>", "<|tool_response>", "<end_of_turn>")
"""Ends of the model's part of a conversation; the second hands over to a tool."""


def load(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    context: int | None = None,
    projector: str | Path | None = None,
    text_only: bool = False,
    store: str | Path | None = None,
) -> LLM:
    """Load a downloaded model by name, or a directory, a `.gguf` or a `.safetensors` file.

    Args:
        device: `auto` takes a CUDA device if there is one, else the CPU.
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        context: tokens that prompt and answer may have together; None: all the model was made for.
        projector: the mmproj file of a GGUF model; None takes the one beside it.
        text_only: leave a GGUF model's mmproj alone.
        store: the folder of downloaded models; None: the one that the command line uses when no
            environment variable names another.

    Raises:
        InputError: no such model, a damaged or unsupported checkpoint, a setting out of range.
        EnvironmentFault: the weights do not fit in memory.
    """
    started = time.perf_counter()
    place = default_root() if store is None else Path(store)
    path = resolve(str(name_or_path), Store(place))
    checkpoint = open_checkpoint(path, projector=projector, text_only=text_only)
    config = _target_config(checkpoint)
    limit = _context(config, context)
    placement = choose_placement(checkpoint, device, dtype)
    tokenizer, notes = read_tokenizer(checkpoint, config.text.vocab_size)
    source, defaults = read_template_source(checkpoint), read_defaults(checkpoint)
    template = choose_template(source, tokenizer=tokenizer, style=template_style(config))
    sampling, hints = recommended(defaults)
    model, report = _fill_model(checkpoint, config, placement)
    ends = _chat_ends(tokenizer)
    stop_ids = _stop_ids(config, defaults, tokenizer)
    chats = source is not None or bool(ends & stop_ids)
    return LLM(
        model=model,
        tokenizer=tokenizer,
        template=template,
        defaults=sampling,
        stop_ids=stop_ids | ends if chats else stop_ids,
        is_chat_model=chats,
        info=ModelInfo(
            name=_short_name(name_or_path),
            family=config.family,
            device=str(placement.device),
            dtype=str(placement.dtype).removeprefix("torch."),
            modalities=config.modalities,
            context=limit,
            template=template.revision,
            template_came_along=source is not None,
            load_seconds=time.perf_counter() - started,
            notes=(*checkpoint.notes, *placement.notes, *report.notes, *notes, *hints),
        ),
    )


def _target_config(checkpoint: Checkpoint) -> ModelConfig:
    if isinstance(checkpoint.config, DrafterConfig):
        raise CheckpointError(
            f"{checkpoint.path} is a drafter ({checkpoint.config.family}), which only speeds up "
            "another model; load that model"
        )
    return checkpoint.config


def _fill_model(
    checkpoint: Checkpoint, config: ModelConfig, placement: Placement
) -> tuple[Gemma4, LoadReport]:
    model = build_model(config)
    with explaining_memory(checkpoint, placement):
        report = load_weights(model, checkpoint, device=placement.device, dtype=placement.dtype)
    return model, report


def _short_name(name_or_path: str | Path) -> str:
    path = Path(name_or_path)
    return path.name or path.absolute().name if path.exists() else str(name_or_path)


def _context(config: ModelConfig, wanted: int | None) -> int:
    longest = config.text.max_positions
    if wanted is None:
        return longest
    if not 1 <= wanted <= longest:
        raise ContextError(
            f"a context of {wanted} tokens was asked for and the model holds 1 to {longest}",
            needed=wanted,
            limit=longest,
        )
    return wanted


def _stop_ids(
    config: ModelConfig, defaults: GenerationDefaults, tokenizer: Tokenizer
) -> frozenset[int]:
    """What the checkpoint says ends an answer, and the tokenizer's own end of text."""
    end_of_text = tokenizer.special_ids.get("<eos>", config.eos_ids[0])
    return frozenset({*config.eos_ids, *defaults.eos_ids, end_of_text})


def _chat_ends(tokenizer: Tokenizer) -> frozenset[int]:
    known = tokenizer.special_ids
    return frozenset(known[name] for name in CHAT_ENDS if name in known)
