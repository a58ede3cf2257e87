"""A real `LLM` whose model says what a test wrote down: tokenizer, template, engine and pages are real.

    llm = scripted_llm(lambda prompt: "Hello.")

The forward pass reads each request's ids back from its pages, so that caching, batching and preemption are
tried too, and scores highest what the answer to the rendered prompt goes on with. Special tokens may be
written as literals: `<|channel>thought\nhm<channel|>Yes.` or `<|tool_call>call:f{a:1}<tool_call|>`.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from tiny_chat import tiny_chat_directory

from gemma4 import load
from gemma4.config import PAGE_TOKENS, KVGroup, LayerKind
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.soft_token_cache import SoftTokenCache
from gemma4.engine.streams import Streams
from gemma4.llm.llm import LLM
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output
from gemma4.model.page_table import PageTable
from gemma4.model.paged_kv import PagedKV, PageStorage
from gemma4.text.tokens.tokenizer import Tokenizer

Script = Callable[[str], str]
MOST_BEGUN = 200  # remembered answers, of which few are still being given
LEAD = 30.0  # of the scripted token's score over the others


class ScriptedForward:
    """Scores highest what the script says next, and all other tokens alike."""

    def __init__(self, tokenizer: Tokenizer, script: Script, *, step_seconds: float = 0.0) -> None:
        self._tokenizer = tokenizer
        self._script = script
        self._seconds = step_seconds
        self._end = tokenizer.special_ids["<turn|>"]
        self._begun: dict[int, tuple[PageTable, int, list[int]]] = {}  # by the table's identity
        self.steps = 0

    def __call__(self, batch: Batch) -> Output:
        time.sleep(self._seconds)
        self.steps += 1
        kv = batch.kv
        assert isinstance(kv, PagedKV)
        positions, ids = batch.positions.numpy(), batch.ids.numpy()
        wanted, rows, row = set(batch.logit_rows.tolist()), [], 0
        store = kv.storage.keys[0].numpy()[:, 0, 0, 0]
        for table, length in zip(kv.tables, batch.lengths, strict=True):
            mine = slice(row, row + length)
            pages = np.array(table.pages[0])
            store[pages[positions[mine] // PAGE_TOKENS], positions[mine] % PAGE_TOKENS] = ids[mine]
            for one in range(row, row + length):
                if one in wanted:
                    count = int(positions[one]) + 1
                    read = store[pages[: (count - 1) // PAGE_TOKENS + 1]].reshape(-1)[:count]
                    rows.append(self._next(table, [int(id) for id in read]))
            row += length
        logits = torch.zeros(len(rows), self._tokenizer.vocab_size)
        logits[torch.arange(len(rows)), torch.tensor(rows, dtype=torch.int64)] = LEAD
        return Output(hidden=torch.zeros(len(rows), 1), logits=logits)

    def _next(self, table: PageTable, ids: list[int]) -> int:
        if id(table) not in self._begun:  # scores are first wanted at the end of the prompt
            text = self._script(self._tokenizer.decode(ids))
            answer = [*self._tokenizer.encode(text, allow_special=True), self._end]
            self._begun[id(table)] = table, len(ids), answer
            if len(self._begun) > MOST_BEGUN:
                del self._begun[next(iter(self._begun))]
        _, start, answer = self._begun[id(table)]
        said = len(ids) - start
        return answer[said] if said < len(answer) else self._end


def scripted_llm(
    script: Script,
    *,
    context: int = 8192,
    max_requests: int = 8,
    pages: int = 1024,
    max_waiting: int = 64,
    step_seconds: float = 0.0,
    name: str = "scripted",
) -> LLM:
    """The tiny chat model with a script in place of its layers."""
    llm = _tiny()
    group = KVGroup(kind=LayerKind.FULL, layers=(0,), num_kv_heads=1, head_dim=1, window=None)
    storage = PageStorage((group,), [pages], dtype=torch.float32, device=torch.device("cpu"))
    engine = Engine(
        ScriptedForward(llm.tokenizer, script, step_seconds=step_seconds),
        storage,
        vocab_size=llm.config.text.vocab_size,
        limits=Limits(context=context, max_requests=max_requests, max_waiting=max_waiting),
    )
    info = replace(llm.info, name=name, context=context, max_requests=max_requests)
    return replace(llm, streams=Streams(engine), info=info, soft_tokens=SoftTokenCache())


@cache
def _tiny() -> LLM:
    """Loaded once, which takes a second: all scripted models share what never changes."""
    return load(tiny_chat_directory(), kernels="off", drafter=None, context=512)
