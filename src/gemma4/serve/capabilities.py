"""What a model can do, in the words that clients look for."""

from ..llm.llm import LLM

_WORDS = {"image": "vision", "audio": "audio", "video": "video"}


def capabilities_of(llm: LLM) -> list[str]:
    """`completion`, and what there is of `vision`, `audio`, `video`, `tools` and `thinking`."""
    found = ["completion"]
    found += [word for kind, word in _WORDS.items() if kind in llm.info.modalities]
    if llm.is_chat_model:
        found += ["tools"] if "tools" in llm.template.variables else []
        found += ["thinking"] if "enable_thinking" in llm.template.variables else []
    return found
