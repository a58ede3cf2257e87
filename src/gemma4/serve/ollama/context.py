"""`context` of `/api/generate`: an exchange as token ids, which the client hands back to go on with it."""

from collections.abc import Callable, Iterable, Sequence

from ...llm.llm import LLM
from ...text.tokens.special_tokens import PLACEHOLDERS
from ..errors import RequestError

_TURN_ENDS = ("<turn|>", "<end_of_turn>")


def context_after(prompt: Sequence[int], llm: LLM) -> Callable[[str], list[int] | None]:
    """What makes a context of an answer's words. Thoughts are left out, as templates leave them out.

    There is none where the prompt holds media: ids alone do not bring a picture back.
    """
    if _holds_media(prompt, llm):
        return lambda _: None
    known = llm.tokenizer.special_ids
    end = [known[literal] for literal in _TURN_ENDS if literal in known][:1]

    def after(words: str) -> list[int]:
        encode = llm.tokenizer.encode
        return [*prompt, *encode(words), *end, *(encode("\n") if end else ())]

    return after


def read_context(context: Sequence[int] | None, llm: LLM) -> tuple[int, ...]:
    """Ids that an earlier answer has returned.

    Raises:
        RequestError: they hold soft tokens of media, which were not sent along, or are out of range.
    """
    ids = tuple(context or ())
    size = llm.config.text.vocab_size
    wrong = [token for token in ids if not 0 <= token < size]
    if wrong:
        raise RequestError(
            f"context holds {wrong[0]}, which is no id of this model (0 to {size - 1}); "
            "send back what an answer of the same model has returned",
            param="context",
        )
    if _holds_media(ids, llm):
        raise RequestError(
            "context holds soft tokens of media, which ids cannot bring back; use /api/chat",
            param="context",
        )
    return ids if ids[:1] == (llm.tokenizer.bos_id,) or not ids else (llm.tokenizer.bos_id, *ids)


def _holds_media(ids: Iterable[int], llm: LLM) -> bool:
    known = llm.tokenizer.special_ids
    soft = {known[literal] for literal in PLACEHOLDERS.values() if literal in known}
    return any(token in soft for token in ids)
