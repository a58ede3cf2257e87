"""The ways in which a prompt of `/api/generate` becomes a question."""

from collections.abc import Mapping, Sequence

from ...grammar.formats import Format
from ...llm.llm import LLM
from ...llm.question import Continuation, Question
from ...llm.thinking import Thinking
from ...text.messages import Message, Text
from ...text.prompt import completion_prompt
from .go_template import render_template
from .messages import read_images
from .options import ReadOptions


def user_question(
    prompt: str,
    *,
    system: str | None,
    images: Sequence[str] | None,
    thinking: Thinking,
    before: tuple[int, ...],
    format: Format | None,
    options: ReadOptions,
) -> Question:
    """The prompt as a user's message, behind the ids of what went before."""
    instructions = [Message(role="system", content=(Text(system),))] if system else []
    words = (Text(prompt),) if prompt else ()
    media = read_images(images, "the request")
    return Question(
        messages=(*instructions, Message(role="user", content=(*media, *words))),
        thinking=thinking.enabled,
        thought_budget=thinking.budget,
        before=before,
        format=format,
        prompt_limit=options.prompt_limit,
        options=options.sampling,
        remarks=options.remarks,
    )


def raw_continuation(
    prompt: str, format: Format | None, options: ReadOptions, llm: LLM
) -> Continuation:
    """The prompt as it is; literals of control tokens are these tokens, as whoever says raw wants."""
    ids = completion_prompt(prompt, tokenizer=llm.tokenizer, allow_special=True).ids
    return _continuation(ids, format, options)


def template_continuation(
    template: str,
    values: Mapping[str, str],
    before: tuple[int, ...],
    format: Format | None,
    options: ReadOptions,
    llm: LLM,
) -> Continuation:
    """The prompt in a template of the request's own.

    Raises:
        RequestError: the template does what is not done here.
    """
    ids = list(before)
    for segment in render_template(template, values):
        ids += llm.tokenizer.encode(segment.text, allow_special=segment.is_literal)
    bos = llm.tokenizer.bos_id
    return _continuation(tuple(ids) if ids[:1] == [bos] else (bos, *ids), format, options)


def _continuation(
    ids: tuple[int, ...], format: Format | None, options: ReadOptions
) -> Continuation:
    return Continuation(
        ids=ids,
        format=format,
        prompt_limit=options.prompt_limit,
        options=options.sampling,
        remarks=options.remarks,
    )
