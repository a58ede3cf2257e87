"""Enter things into a conversation as its terminal would, and look at what it holds."""

from gemma4.cli.chat.commands import Ask, Leave, Say, handle
from gemma4.cli.chat.session import ChatSession


def enter(chat: ChatSession, entry: str) -> tuple[str, ...]:
    """Enter something; a question is asked to its end. Returns the lines or the answer."""
    action = handle(chat, entry)
    match action:
        case Ask():
            for _ in action.turn.events():
                pass
            return (action.turn.text,)
        case Say():
            return action.lines
        case Leave():
            return ("left",)


def texts(chat: ChatSession) -> list[tuple[str, str]]:
    """Each question with its answer."""
    return [(exchange.user.text, exchange.answer.text) for exchange in chat.exchanges]
