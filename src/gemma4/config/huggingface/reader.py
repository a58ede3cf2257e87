"""config.json of Hugging Face checkpoints, read strictly: every key counts, is passed over for a
written reason (`huggingface_keys`), or is an error. All errors of a file come in one message.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ...errors import ConfigError
from ..model import DrafterConfig, MediaTokens, ModelConfig
from ..section import Section, raise_problems, shown
from ..text import TextConfig
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .gemma3 import read_gemma3_text
from .keys import ignore_common, read_dtype
from .text import read_gemma4_text
from .towers import read_audio, read_unified_audio, read_unified_vision, read_vision

MAX_FILE_BYTES: Final = 4 * 2**20
"""A larger config.json is not read; the published ones have about 5 KB."""

_MODELS = ("gemma4", "gemma4_unified")
_TEXT_ONLY = ("gemma4_text", "gemma4_unified_text", "gemma3_text")
_DRAFTERS = ("gemma4_assistant", "gemma4_unified_assistant")
_TOKEN_KEYS = (
    ("boi_token_id", "begin_image", "vision"),
    ("image_token_id", "image", "vision"),
    ("eoi_token_id", "end_image", "vision"),
    ("video_token_id", "video", "vision"),
    ("boa_token_id", "begin_audio", "audio"),
    ("audio_token_id", "audio", "audio"),
    ("eoa_token_id", "end_audio", "audio"),
)


def load_json_object(path: Path) -> dict[str, object]:
    """Read a small JSON file that holds one object.

    Raises:
        ConfigError: it cannot be opened, is too large, is no JSON, or holds something else.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ConfigError(
                f"{path} has {size:,} bytes; a configuration has {MAX_FILE_BYTES:,} at most"
            )
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}; check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise ConfigError(f"{path} is no JSON: {reason}; fetch the file again") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds {shown(data)}, not an object; fetch the file again")
    return data


def read_config(data: Mapping[str, object], path: Path | str) -> ModelConfig | DrafterConfig:
    """Read a config.json that is already parsed. `path` names it in messages.

    Raises:
        ConfigError: one message with every unknown, missing, malformed and contradictory key; or
            the `model_type` is none of Gemma 4's, its drafters' and Gemma 3 text's.
    """
    kind = data.get("model_type")
    problems: list[str] = []
    section = Section(data, "", problems)
    config: ModelConfig | DrafterConfig
    if kind in _MODELS:
        config = _read_model(section, unified=kind == "gemma4_unified")
    elif kind in _TEXT_ONLY:
        config = _read_text_only(section, str(kind))
    elif kind in _DRAFTERS:
        config = _read_drafter(section, str(kind))
    else:
        raise ConfigError(_explain_kind(kind, path))
    section.close()
    raise_problems(problems, str(path))
    config.text.plan_layers()
    return config


def _explain_kind(kind: object, path: Path | str) -> str:
    supported = ", ".join((*_MODELS, *_TEXT_ONLY, *_DRAFTERS))
    if kind == "gemma3":
        return (
            f"{path} has model_type='gemma3', the multimodal Gemma 3 of 4B and more, which is not "
            f"supported; of Gemma 3, text models (gemma3_text: 270M, 1B) are"
        )
    found = "no model_type" if kind is None else f"model_type={shown(kind)}"
    return f"{path} has {found}; supported: {supported}"


def _read_model(section: Section, *, unified: bool) -> ModelConfig:
    ignore_common(section)
    stored_dtype = read_dtype(section)
    text_section = _open_text(section, "gemma4_unified_text" if unified else "gemma4_text")
    text = read_gemma4_text(text_section, unified=unified, drafter=False)
    soft_tokens = section.integer("vision_soft_tokens_per_image", 280)
    vision, audio = _read_towers(section, unified=unified, soft_tokens=soft_tokens)
    present = {name for name, part in (("vision", vision), ("audio", audio)) if part is not None}
    config = ModelConfig(
        family="gemma4_unified" if unified else "gemma4",
        text=text,
        vision=vision,
        audio=audio,
        media_tokens=_read_media_tokens(section, present),
        eos_ids=_read_eos(section, text_section),
        bos_id=text_section.integer("bos_token_id", 2, low=0),
        pad_id=text_section.integer("pad_token_id", 0, low=0),
        stored_dtype=stored_dtype or read_dtype(text_section),
    )
    _check_echo(section, "bos_token_id", config.bos_id)
    _check_echo(section, "pad_token_id", config.pad_id)
    read_dtype(text_section)
    text_section.close()
    return config


def _open_text(section: Section, model_type: str) -> Section:
    text = section.section("text_config")
    if text is None:
        if not section.has("text_config"):
            section.report("text_config", "is missing; it describes the decoder")
        return Section({}, section.path("text_config"), [])  # reported once, not key by key
    text.demand("model_type", (model_type,), f"supported here: {model_type}")
    return text


def _read_towers(
    section: Section, *, unified: bool, soft_tokens: int
) -> tuple[VisionConfig | UnifiedVisionConfig | None, AudioConfig | UnifiedAudioConfig | None]:
    vision, audio = section.section("vision_config"), section.section("audio_config")
    suffix = "unified_" if unified else ""
    for part, name in ((vision, "vision"), (audio, "audio")):
        if part is not None:
            expected = f"gemma4_{suffix}{name}"
            part.demand("model_type", (expected,), f"supported here: {expected}")
    if unified:
        return (
            read_unified_vision(vision, soft_tokens=soft_tokens) if vision else None,
            read_unified_audio(audio) if audio else None,
        )
    return (
        read_vision(vision, soft_tokens=soft_tokens) if vision else None,
        read_audio(audio) if audio else None,
    )


def _read_media_tokens(section: Section, present: set[str]) -> MediaTokens:
    """Read the placeholder ids; a null is an error only where the modality is present."""
    defaults = MediaTokens()
    found: dict[str, int] = {}
    for key, name, modality in _TOKEN_KEYS:
        default: int = getattr(defaults, name)
        if section.holds(key) and not section.has(key) and modality in present:
            section.report(key, f"is null, but the model has a {modality} part; give the id")
        found[name] = section.integer(key, default, low=0)
    if section.has("eoa_token_index"):  # the April files' name
        index = section.integer("eoa_token_index", low=0)
        if section.has("eoa_token_id") and index != found["end_audio"]:
            section.report(
                "eoa_token_index", f"= {index} contradicts eoa_token_id = {found['end_audio']}"
            )
        found["end_audio"] = index
    return MediaTokens(**found)


def _read_eos(*sections: Section) -> tuple[int, ...]:
    """The ids that end an answer, from the first section that has them; all are read."""
    found = [section.integers("eos_token_id") for section in sections]
    return next((ids for ids in found if ids), (1,))


def _check_echo(section: Section, key: str, value: int) -> None:
    """A key that older files repeat at the top must say the same as in text_config."""
    if section.integer(key, value, low=0) != value:
        section.report(key, f"contradicts text_config.{key} = {value}; give one")


def _read_text_only(section: Section, kind: str) -> ModelConfig:
    text: TextConfig
    if kind == "gemma3_text":
        text = read_gemma3_text(section)
    else:
        text = read_gemma4_text(section, unified=kind == "gemma4_unified_text", drafter=False)
    return ModelConfig(
        family="gemma3" if kind == "gemma3_text" else kind.removesuffix("_text"),
        text=text,
        eos_ids=_read_eos(section),
        bos_id=section.integer("bos_token_id", 2, low=0),
        pad_id=section.integer("pad_token_id", 0, low=0),
        stored_dtype=read_dtype(section),
    )


def _read_drafter(section: Section, kind: str) -> DrafterConfig:
    ignore_common(section)
    unified = kind == "gemma4_unified_assistant"
    stored_dtype = read_dtype(section)
    text_section = _open_text(section, "gemma4_unified_text" if unified else "gemma4_text")
    text = read_gemma4_text(text_section, unified=unified, drafter=True)
    # Copies of the target's; a drafter embeds no media and ends nothing.
    section.ignore((*(key for key, _, _ in _TOKEN_KEYS), "eoa_token_index", "eos_token_id"))
    text_section.ignore(("eos_token_id", "bos_token_id", "pad_token_id"))
    stored_dtype = stored_dtype or read_dtype(text_section)
    read_dtype(text_section)
    text_section.close()
    ordered = section.flag("use_ordered_embeddings", False)
    num_centroids = section.integer("num_centroids", 2048)
    top_centroids = section.integer("centroid_intermediate_top_k", 32)
    if ordered and (text.vocab_size % num_centroids or top_centroids > num_centroids):
        section.report(
            "num_centroids",
            f"= {num_centroids} must divide vocab_size = {text.vocab_size} and be at least "
            f"centroid_intermediate_top_k = {top_centroids}",
        )
    return DrafterConfig(
        family=kind,
        text=text,
        backbone_hidden_size=section.integer("backbone_hidden_size"),
        num_centroids=num_centroids if ordered else 0,
        top_centroids=top_centroids if ordered else 0,
        stored_dtype=stored_dtype,
    )
