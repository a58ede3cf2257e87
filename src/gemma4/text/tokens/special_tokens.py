"""The literals of Gemma's special tokens, as chat templates print them."""

from typing import Literal

BOS = "<bos>"
TURN_BEGIN = "<|turn>"
TURN_END = "<turn|>"
THINK = "<|think|>"
CHANNEL_BEGIN = "<|channel>"
CHANNEL_END = "<channel|>"
TOOL_BEGIN = "<|tool>"
TOOL_END = "<tool|>"
TOOL_CALL_BEGIN = "<|tool_call>"
TOOL_CALL_END = "<tool_call|>"
TOOL_RESPONSE_BEGIN = "<|tool_response>"
STRING = '<|"|>'

THOUGHT_BEGIN = f"{CHANNEL_BEGIN}thought\n"
"""How a thought opens; a prompt that ends so has opened it already."""

IMAGE_BEGIN = "<|image>"
IMAGE_END = "<image|>"
AUDIO_BEGIN = "<|audio>"
AUDIO_END = "<audio|>"

MediaKind = Literal["image", "audio", "video"]

PLACEHOLDERS: dict[MediaKind, str] = {
    "image": "<|image|>",
    "audio": "<|audio|>",
    "video": "<|video|>",
}
"""One stands for each medium in a rendered prompt, and then once for each soft token."""

GEMMA3_TURN_BEGIN = "<start_of_turn>"
GEMMA3_TURN_END = "<end_of_turn>"
