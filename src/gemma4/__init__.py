"""The whole Gemma 4 system: load any published checkpoint, talk to it, prove the numbers.

    import gemma4
    llm = gemma4.load("path/to/checkpoint")
    print(llm.chat("Why is the sky blue?").text)

Nothing heavy is imported until it is used: `import gemma4` alone takes milliseconds.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .llm.llm import LLM
    from .llm.load import load
    from .text.messages import Audio, Image, Message, Text, Tool, ToolCall, Video

__all__ = ["LLM", "Audio", "Image", "Message", "Text", "Tool", "ToolCall", "Video", "load"]

_HOMES = {
    "LLM": "llm.llm",
    "load": "llm.load",
    **dict.fromkeys(
        ("Audio", "Image", "Message", "Text", "Tool", "ToolCall", "Video"), "text.messages"
    ),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562), so that torch loads only when needed.

    Python searches for no garbage meanwhile: a tenth of the time.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'gemma4' has no attribute {name!r}")
    from importlib import import_module

    from .llm.collection import collection_paused

    with collection_paused():
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
