"""A conversation as the token ids of a prompt, one placeholder id for each medium.

messages → template → text → ids. What people, tools and the model wrote never becomes a control token
(`escaping`), and nothing that was asked for is left out quietly: media, tools or thinking that the
template has no place for are errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MessageError, TemplateError
from .messages import Audio, Image, Message, Tool, Video
from .open_turn import check_open_end, without_turn_end
from .reading.conversation import check_conversation
from .templates.escaping import Escape
from .templates.renderer import strip_thoughts
from .templates.template import Template
from .templates.template_messages import media_of, to_template_messages, to_template_tools
from .tokens.special_tokens import BOS, PLACEHOLDERS, THOUGHT_BEGIN, MediaKind
from .tokens.tokenizer import Tokenizer

_SPECIAL_VARIABLES = {
    "bos_token": BOS,
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}
_KINDS: dict[type, MediaKind] = {Image: "image", Audio: "audio", Video: "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is given, but for the media's soft tokens.

    Attributes:
        text: as rendered, with literals of special tokens, whoever wrote them.
        ids: `text` as tokens; begins with `<bos>`; one placeholder id for each medium.
        media: the media in the order of their placeholders.
        revision: of the chat template; None for plain completion.
        opens_thought: whether the model continues inside a thought.
    """

    text: str
    ids: tuple[int, ...]
    media: tuple[Image | Audio | Video, ...] = ()
    revision: str | None = None
    opens_thought: bool = False


def build_prompt(
    messages: Sequence[Message],
    *,
    template: Template,
    tokenizer: Tokenizer,
    tools: Sequence[Tool] = (),
    thinking: bool = False,
    preserve_thinking: bool = False,
    add_generation_prompt: bool = True,
    goes_on: bool = False,
) -> Prompt:
    """Render a conversation into a prompt.

    Args:
        thinking: whether the model thinks before it answers.
        preserve_thinking: keep thoughts of earlier turns that called tools.
        add_generation_prompt: open the model's turn at the end.
        goes_on: the last message is the model's, and its turn is left open.

    Raises:
        MessageError: if the conversation makes no sense or the template has no place for a part of it.
        TemplateError: if the template fails, or knows no thinking or tools that were asked for.
    """
    conversation = check_conversation(messages)
    if goes_on:
        check_open_end(conversation)
    wanted = {
        "tools": bool(tools),
        "enable_thinking": thinking,
        "preserve_thinking": preserve_thinking,
    }
    for variable, is_wanted in wanted.items():
        if is_wanted and variable not in template.variables:
            raise TemplateError(
                f"chat template {template.revision} knows no {variable}; ask without it"
            )
    rendering = _Rendering(
        template=template,
        special_tokens=tuple(tokenizer.special_ids),
        flags={
            "enable_thinking": thinking,
            "preserve_thinking": preserve_thinking,
            "add_generation_prompt": add_generation_prompt and not goes_on,
        },
    )
    turns = to_template_messages(conversation, wants_tool_responses=template.wants_tool_responses)
    text, guarded, escape = rendering.render(turns, to_template_tools(tools))
    if goes_on:
        text, guarded = without_turn_end(text, template), without_turn_end(guarded, template)
    ids = _with_one_bos(_encode(guarded, escape, tokenizer), tokenizer, template)
    media = media_of(conversation)
    _check_placeholders(ids, media, tokenizer, template)
    return Prompt(
        text=text if guarded.startswith(BOS) else BOS + text,
        ids=tuple(ids),
        media=media,
        revision=template.revision,
        opens_thought=guarded.endswith(THOUGHT_BEGIN),
    )


def completion_prompt(text: str, *, tokenizer: Tokenizer, allow_special: bool = False) -> Prompt:
    """A prompt of plain text to go on with: `<bos>` and the text.

    Args:
        allow_special: read literals of special tokens in `text` as these tokens.
    """
    ids = tokenizer.encode(text, allow_special=allow_special)
    if ids[:1] != [tokenizer.bos_id]:
        text, ids = BOS + text, [tokenizer.bos_id, *ids]
    if ids.count(tokenizer.bos_id) > 1:
        raise MessageError(f"the prompt holds {ids.count(tokenizer.bos_id)} {BOS}; one is enough")
    return Prompt(text=text, ids=tuple(ids))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rendering:
    template: Template
    special_tokens: tuple[str, ...]
    flags: Mapping[str, bool]

    def render(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> tuple[str, str, Escape]:
        """The text, the same with the conversation's own characters escaped, and the way back."""
        text = self._text(messages, tools)
        escape = Escape(self.special_tokens, text=text)
        given = {"messages": messages, "tools": tools}
        if escape.hide(given) == given:
            return text, text, escape
        # Templates cut thoughts out of what the model said, which they could not find once escaped.
        for turns in (_without_thoughts(messages), messages):
            guarded = self._text(escape.hide(turns), escape.hide(tools))
            if escape.show(guarded) == text:
                return text, guarded, escape
        raise MessageError(
            f"chat template {self.template.revision} changes texts that hold < or > so that they cannot "
            "be told from control tokens; take these characters out of names and keys"
        )

    def _text(self, messages: Any, tools: Any) -> str:
        variables = {k: v for k, v in _SPECIAL_VARIABLES.items() if v in self.special_tokens}
        return self.template.render(messages, tools=tools, special_tokens=variables, **self.flags)


def _without_thoughts(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        message | {"content": _stripped(message["content"])}
        if message["role"] == "assistant"
        else message
        for message in messages
    ]


def _stripped(content: str | list[dict[str, str]]) -> str | list[dict[str, str]]:
    if isinstance(content, str):
        return strip_thoughts(content)
    return [
        part | {"text": strip_thoughts(part["text"])} if "text" in part else part
        for part in content
    ]


def _encode(guarded: str, escape: Escape, tokenizer: Tokenizer) -> list[int]:
    ids: list[int] = []
    for piece in tokenizer.split_special(guarded):
        ids += [piece] if isinstance(piece, int) else tokenizer.encode(escape.show(piece))
    return ids


def _with_one_bos(ids: list[int], tokenizer: Tokenizer, template: Template) -> list[int]:
    count = ids.count(tokenizer.bos_id)
    if count == 0:
        return [tokenizer.bos_id, *ids]
    if count > 1 or ids[0] != tokenizer.bos_id:
        raise TemplateError(
            f"chat template {template.revision} writes {count} {BOS}; it must be one, at the start"
        )
    return ids


def _check_placeholders(
    ids: Sequence[int],
    media: Sequence[Image | Audio | Video],
    tokenizer: Tokenizer,
    template: Template,
) -> None:
    """Refuse to go on if the template left out a medium, or placed them in another order."""
    kinds = {
        tokenizer.special_ids[literal]: kind
        for kind, literal in PLACEHOLDERS.items()
        if literal in tokenizer.special_ids
    }
    placed = [kinds[id] for id in ids if id in kinds]
    given = [_KINDS[type(medium)] for medium in media]
    if placed != given:
        raise MessageError(
            f"chat template {template.revision} places media {placed} where the conversation has {given}; "
            "move media into user messages, or use another model"
        )
