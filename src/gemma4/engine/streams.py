"""Requests as iterators: whoever asks for the next token drives the engine for all."""

from collections import deque
from collections.abc import Callable, Generator

from .end import End
from .engine import Engine
from .request import Request
from .sampler import Choice
from .update import Update


class Streams:
    """Hands out an engine's updates to those who wait for them.

    Several iterators may be read in turn, from one thread. What a step brings for the others waits in
    their boxes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._boxes: dict[int, deque[Update]] = {}

    def run(
        self, request: Request, on_prefill: Callable[[int, int], None] | None = None
    ) -> Generator[Choice | End]:
        """Submit a prepared request, then yield its choices and one `End`. Closing aborts it.

        Args:
            on_prefill: told tokens done and tokens in all of the prompt.

        Raises:
            EnvironmentFault: too many requests wait.
            Gemma4Error: what the request failed of.
        """
        self.engine.submit(request)
        box = self._boxes[request.number] = deque()
        try:
            while True:
                while not box:
                    self._step()
                update = box.popleft()
                if update.error is not None:
                    raise update.error
                if update.prefilled is not None and on_prefill is not None:
                    on_prefill(update.prefilled, request.num_prompt)
                yield from update.choices
                if update.end is not None:
                    yield update.end
                    return
        finally:
            del self._boxes[request.number]
            self.engine.abort(request)

    def check(self) -> None:
        """The engine is sound, and every box holds updates of its own request, the last one last."""
        self.engine.check()
        for number, box in self._boxes.items():
            updates = list(box)
            assert all(update.request.number == number for update in updates)
            assert not any(update.end or update.error for update in updates[:-1])

    def _step(self) -> None:
        for update in self.engine.step():
            if update.request.number in self._boxes:  # others were submitted past these streams
                self._boxes[update.request.number].append(update)
