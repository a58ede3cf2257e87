"""What a checkpoint recommends for generation: generation_config.json, or keys of a GGUF file.

A setting that changes answers but that this project does not have is never dropped: it stands in
`notes`, for the user to see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from .gguf.values import open_section, shortest
from .huggingface.reader import load_json_object
from .section import Section, raise_problems, shown, shown_key


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationDefaults:
    """Recommended settings; None or () means that the checkpoint says nothing.

    Attributes:
        do_sample: false is greedy, whatever the other settings say.
        eos_ids: ids that end an answer; bos_id begins a text; pad_id fills batches.
        suppress_ids: ids never to generate.
        num_draft_tokens: how many tokens a drafter should propose at a time.
        notes: settings without effect here, one sentence each.
    """

    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int | None = None
    eos_ids: tuple[int, ...] = ()
    bos_id: int | None = None
    pad_id: int | None = None
    suppress_ids: tuple[int, ...] = ()
    num_draft_tokens: int | None = None
    notes: tuple[str, ...] = ()


IGNORED_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_from_model_config": "provenance",
        "transformers_version": "provenance",
        "cache_implementation": "a run-time choice of transformers",
        "use_cache": "a run-time choice of transformers",
        "disable_compile": "a run-time choice of transformers",
        "output_attentions": "what transformers returns",
        "output_hidden_states": "what transformers returns",
        "output_logits": "what transformers returns",
        "output_scores": "what transformers returns",
        "return_dict_in_generate": "what transformers returns",
        "is_assistant": "the drafter's config.json says so",
        "num_assistant_tokens_schedule": "how far transformers adapts the number of drafts",
        "assistant_confidence_threshold": "when transformers stops drafting; the answer is the same",
    }
)
"""Key → why it changes no answer."""

_NEUTRAL: Final[Mapping[str, object]] = MappingProxyType(
    {
        "num_beams": 1,
        "num_return_sequences": 1,
        "no_repeat_ngram_size": 0,
        "typical_p": 1.0,
        "length_penalty": 1.0,
        "diversity_penalty": 0.0,
        "epsilon_cutoff": 0.0,
        "eta_cutoff": 0.0,
        "guidance_scale": 1.0,
        "min_length": 0,
        "max_length": 20,
        "num_beam_groups": 1,
        "encoder_repetition_penalty": 1.0,
        "encoder_no_repeat_ngram_size": 0,
        "early_stopping": False,
        "remove_invalid_values": False,
        "renormalize_logits": False,
        "low_memory": False,
        "token_healing": False,
    }
)
"""Settings we do not have → the value that does nothing, or that transformers writes unasked."""


def load_generation_config(path: Path) -> GenerationDefaults:
    """Read a generation_config.json file.

    Raises:
        ConfigError: the file is no readable JSON object, or as `read_generation_config`.
    """
    return read_generation_config(load_json_object(path), path)


def read_generation_config(data: Mapping[str, object], path: Path | str) -> GenerationDefaults:
    """Read a generation_config.json that is already parsed. `path` names it in messages.

    Raises:
        ConfigError: one message with every setting that is malformed or out of range.
    """
    problems: list[str] = []
    section = Section(data, "", problems)
    defaults = GenerationDefaults(
        do_sample=section.flag("do_sample", False),
        temperature=_number(section, "temperature", high=100.0),
        top_k=_integer(section, "top_k"),
        top_p=_number(section, "top_p", high=1.0),
        min_p=_number(section, "min_p", high=1.0),
        repetition_penalty=_number(section, "repetition_penalty", low=1e-3, high=100.0),
        max_new_tokens=_integer(section, "max_new_tokens"),
        eos_ids=section.integers("eos_token_id"),
        bos_id=_integer(section, "bos_token_id"),
        pad_id=_integer(section, "pad_token_id"),
        suppress_ids=section.integers("suppress_tokens"),
        num_draft_tokens=_integer(section, "num_assistant_tokens"),
        notes=_note_unsupported(data),
    )
    raise_problems(problems, str(path))
    return defaults


def read_gguf_generation(metadata: Mapping[str, object], path: Path | str) -> GenerationDefaults:
    """Read what a GGUF file recommends: `general.sampling.*` and the tokenizer's special ids.

    Raises:
        ConfigError: one message with every setting that is malformed or out of range.
    """
    problems: list[str] = []
    sampling = open_section(metadata, "general.sampling", problems)
    tokenizer = open_section(metadata, "tokenizer.ggml", problems)
    ends = [tokenizer.integers(f"{name}_token_id") for name in ("eos", "eot", "eom")]
    names = ("temp", "top_k", "top_p", "min_p", "penalty_repeat")
    temperature = _number(sampling, "temp", high=100.0)
    given = any(sampling.has(name) for name in names)
    defaults = GenerationDefaults(
        do_sample=temperature != 0.0 if given else None,
        temperature=temperature,
        top_k=_integer(sampling, "top_k"),
        top_p=_number(sampling, "top_p", high=1.0),
        min_p=_number(sampling, "min_p", high=1.0),
        repetition_penalty=_number(sampling, "penalty_repeat", low=1e-3, high=100.0),
        eos_ids=tuple(dict.fromkeys(token for ids in ends for token in ids)),
        bos_id=_integer(tokenizer, "bos_token_id"),
        pad_id=_integer(tokenizer, "padding_token_id"),
        suppress_ids=tokenizer.integers("suppress_tokens"),
        notes=_note_gguf(metadata, names),
    )
    raise_problems(problems, str(path))
    return defaults


def _number(section: Section, key: str, *, low: float = 0.0, high: float) -> float | None:
    return shortest(section.number(key, low=low, high=high)) if section.has(key) else None


def _integer(section: Section, key: str) -> int | None:
    return section.integer(key, low=0) if section.has(key) else None


_READ: Final = frozenset(
    {
        "do_sample",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "max_new_tokens",
        "eos_token_id",
        "bos_token_id",
        "pad_token_id",
        "suppress_tokens",
        "num_assistant_tokens",
    }
)


def _note_unsupported(data: Mapping[str, object]) -> tuple[str, ...]:
    """A sentence for each key that is set to something and that nobody reads."""
    notes = []
    for key, value in data.items():
        if key in _READ or key in IGNORED_KEYS or value is None:
            continue
        if key in _NEUTRAL and type(value) in (int, float, bool) and value == _NEUTRAL[key]:
            continue
        notes.append(f"{shown_key(key)}={shown(value)} is recommended but has no effect here")
    return tuple(notes)


def _note_gguf(metadata: Mapping[str, object], read: tuple[str, ...]) -> tuple[str, ...]:
    start = "general.sampling."
    return tuple(
        f"{shown_key(key)}={shown(value)} is recommended but has no effect here"
        for key, value in metadata.items()
        if key.startswith(start) and key.removeprefix(start) not in read
    )
