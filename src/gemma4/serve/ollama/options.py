"""`options` of Ollama's requests → sampling settings; what has no effect here is said, never an error."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import RequestError

_log = logging.getLogger(__name__)

_NAMES: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "seed": "seed",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "num_predict": "max_tokens",
    "stop": "stop",
}
"""Ollama's name → that of `Sampling`."""

_OF_THE_SERVER: Final = frozenset(
    {
        "numa", "num_batch", "num_gpu", "main_gpu", "low_vram", "f16_kv", "logits_all", "vocab_only",
        "use_mmap", "use_mlock", "embedding_only", "num_thread",
    }
)  # fmt: skip
_NEUTRAL: Final[Mapping[str, Any]] = {
    "tfs_z": 1,
    "typical_p": 1,
    "mirostat": 0,
    "mirostat_tau": None,  # these two do nothing without mirostat
    "mirostat_eta": None,
    "penalize_newline": None,
    "num_keep": None,
}
"""Options that other engines have, with the value that asks for nothing; None: any value does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """What the options ask for.

    Attributes:
        sampling: as `Sampling` names it.
        prompt_limit: most tokens of the prompt; from `num_ctx`.
        remarks: what was left out.
    """

    sampling: Mapping[str, Any]
    prompt_limit: int | None
    remarks: tuple[str, ...]


def read_options(options: Mapping[str, Any] | None, *, context: int) -> ReadOptions:
    """Read them; a null is as good as nothing.

    Args:
        context: tokens that one request may have. It is never changed: a model is not loaded again for
            another `num_ctx`.

    Raises:
        RequestError: `num_ctx`, `num_predict` or `seed` is no whole number.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    sampling = {
        _NAMES[name]: _value(name, value) for name, value in given.items() if name in _NAMES
    }
    wanted = _whole("num_ctx", given["num_ctx"]) if "num_ctx" in given else None
    remarks = [
        remark
        for name, value in given.items()
        if name not in _NAMES and (remark := _remark(name, value))
    ]
    if wanted is not None and wanted > context:
        remarks.append(
            f"num_ctx is {wanted} and the model was loaded with a context of {context}; "
            "the server's --ctx sets it"
        )
    for remark in remarks:
        _log.warning("%s", remark)
    limit = wanted if wanted is not None and 0 < wanted < context else None
    return ReadOptions(sampling=sampling, prompt_limit=limit, remarks=tuple(remarks))


def _value(name: str, value: Any) -> Any:
    match name:
        case "stop":
            texts = (value,) if isinstance(value, str) else value
            return tuple(texts) if isinstance(texts, list) else texts
        case (
            "num_predict"
        ):  # -1: no limit, -2: as much as the context holds; both are the same here
            count = _whole(name, value)
            return count if count > 0 else None
        case "seed":
            seed = _whole(name, value)
            return seed if seed >= 0 else None  # -1: another one each time
        case "top_k":
            return max(_whole(name, value), 0)  # 0 and below: all
        case _:
            return value


def _whole(name: str, value: Any) -> int:
    """JSON has one kind of number: 40.0 is 40."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(
            f"options.{name} is {value!r}; it must be a whole number", param=f"options.{name}"
        )
    return value


def _remark(name: str, value: Any) -> str | None:
    """Why an option has no effect; None where nothing is lost."""
    if name == "num_ctx":
        return None
    if name in _OF_THE_SERVER:
        return f"options.{name} was left out: how a model is loaded is the server's to say"
    if name == "repeat_last_n":
        return (
            "options.repeat_last_n was left out: penalties look at the whole prompt and answer"
            if value
            else None
        )
    if name in _NEUTRAL:
        neutral = _NEUTRAL[name]
        return None if neutral is None or value == neutral else _unknown(name)
    return _unknown(name)


def _unknown(name: str) -> str:
    return f"options.{name} was left out: this server has no such setting"
