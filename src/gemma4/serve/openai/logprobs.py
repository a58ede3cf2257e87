"""Log-probabilities in OpenAI's two forms: of chat completions, and of completions.

The text of a token that is a part of a character reads U+FFFD; its bytes say what it really is.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...llm.events import TokenLogprob
from ...text.tokens.tokenizer import Tokenizer

LOWEST = -9999.0
"""Stands for minus infinity, which JSON cannot say; OpenAI's own number."""


def chat_logprobs(tokens: Sequence[TokenLogprob], tokenizer: Tokenizer) -> dict[str, Any]:
    """`{"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null}`."""
    return {
        "content": [
            {
                **_scored(tokenizer, one.id, one.text, one.logprob),
                "top_logprobs": [_scored(tokenizer, *scored) for scored in one.top],
            }
            for one in tokens
        ],
        "refusal": None,
    }


def _scored(tokenizer: Tokenizer, id: int, text: str, logprob: float) -> dict[str, Any]:
    return {
        "token": text,
        "logprob": max(logprob, LOWEST),
        "bytes": list(tokenizer.token_bytes(id)),
    }


class TextLogprobs:
    """The form of completions: lists side by side, each token with its place in the text.

    Args:
        start: characters before the first token.
    """

    def __init__(self, start: int = 0) -> None:
        self._place = start

    def of(self, tokens: Iterable[TokenLogprob | tuple[int, str]]) -> dict[str, Any]:
        """These tokens; an (id, text) has no log-probability, as the first of a prompt."""
        found: dict[str, list[Any]] = {
            "tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []
        }  # fmt: skip
        for token in tokens:
            text = token.text if isinstance(token, TokenLogprob) else token[1]
            found["tokens"].append(text)
            found["text_offset"].append(self._place)
            self._place += len(text)
            if isinstance(token, TokenLogprob):
                found["token_logprobs"].append(max(token.logprob, LOWEST))
                found["top_logprobs"].append(_likeliest(token))
            else:
                found["token_logprobs"].append(None)
                found["top_logprobs"].append(None)
        return found


def _likeliest(token: TokenLogprob) -> dict[str, float]:
    """By text, the likeliest of a text; the token itself is always among them."""
    found = {token.text: max(token.logprob, LOWEST)}
    for _, text, score in token.top:
        found[text] = max(score, LOWEST, found.get(text, LOWEST))
    return found
