"""Conversations that share one model's engine: what they have in common, turns about, and ends. float32."""

import re
from collections.abc import Callable

import pytest
import torch
from speculated import Scripted, VirtualTime
from tiny_chat import tiny_chat_directory

import gemma4
from gemma4.engine.speculation.source import Tip
from gemma4.errors import ContextError, InputError
from gemma4.llm.events import ContentDelta, Event, Finished
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output

GREEDY = {"temperature": 0.0, "max_tokens": 24}
QUESTION = "Tell me, at some length, why the sky over the harbour is blue in the morning. " * 3


@pytest.fixture(scope="module")
def llm() -> gemma4.LLM:
    return gemma4.load(tiny_chat_directory(), context=1024, drafter=None)


@pytest.fixture(scope="module")
def other() -> gemma4.LLM:
    """The same model with pages of its own."""
    return gemma4.load(tiny_chat_directory(), context=1024)


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ContentDelta))


def test_a_second_turn_computes_only_what_is_new(llm: gemma4.LLM, other: gemma4.LLM) -> None:
    first = llm.chat(QUESTION, **GREEDY)
    assert first.finished.usage.cached_tokens == 0
    told = [
        gemma4.Message(role="user", content=(gemma4.Text(QUESTION),)),
        first.message,
        gemma4.Message(role="user", content=(gemma4.Text("And in the evening?"),)),
    ]
    seen: list[tuple[int, int]] = []
    second = list(llm.stream(told, on_prefill=lambda *done: seen.append(done), **GREEDY))
    assert isinstance(second[-1], Finished)
    usage = second[-1].usage
    prompt = first.finished.usage.prompt_tokens
    assert prompt - 32 <= usage.cached_tokens <= usage.prompt_tokens
    assert usage.cached_tokens % 32 == 0
    assert seen == [(usage.prompt_tokens, usage.prompt_tokens)]
    fresh = other.chat(told, **GREEDY)
    assert (fresh.finished.usage.cached_tokens, fresh.text) == (0, text_of(second))


def test_streams_read_in_turn_do_not_disturb_each_other(llm: gemma4.LLM, other: gemma4.LLM) -> None:
    questions = [QUESTION, "Hello", QUESTION + "And why red?"]
    expected = [other.chat(question, **GREEDY).text for question in questions]
    running = [llm.stream(question, **GREEDY) for question in questions]
    events: list[list[Event]] = [[], [], []]
    open_streams = dict(enumerate(running))
    while open_streams:
        for index in list(open_streams):
            event = next(open_streams[index], None)
            if event is None:
                del open_streams[index]
            else:
                events[index].append(event)
    assert [text_of(one) for one in events] == expected
    assert all(isinstance(one[-1], Finished) for one in events)
    assert llm.streams.engine.is_idle


def test_a_stream_that_is_closed_frees_its_pages(llm: gemma4.LLM) -> None:
    stream = llm.stream(QUESTION, **GREEDY)
    next(stream)
    engine = llm.streams.engine
    assert max(engine.counters.pages_held) > 0
    stream.close()
    assert engine.is_idle
    assert engine.counters.pages_held == (0, 0)
    engine.check()


def test_a_stop_string_frees_the_pages_before_the_last_event(llm: gemma4.LLM) -> None:
    whole = llm.chat("Hello", **GREEDY).text
    assert len(whole) > 4
    events = llm.stream("Hello", stop=(whole[3],), **GREEDY)
    for event in events:
        if isinstance(event, Finished):
            assert event.finish_detail == f"stop string {whole[3]!r}"
            assert llm.streams.engine.is_idle


@pytest.mark.parametrize("kv_dtype", ["float16", "int8"])
def test_keys_and_values_can_be_kept_in_less(kv_dtype: str) -> None:
    llm = gemma4.load(tiny_chat_directory(), context=1024, kv_dtype=kv_dtype)
    assert llm.info.kv_dtype == kv_dtype
    storage = llm.streams.engine.storage
    assert storage.dtype is getattr(torch, kv_dtype)
    parts = (storage.keys, storage.values, storage.key_scales, storage.value_scales)
    assert llm.info.kv_bytes == sum(tensor.nbytes for part in parts for tensor in part)
    assert llm.chat("Hello", **GREEDY).finished.usage.completion_tokens > 0


def test_eight_streams_that_fit_alone_share_pages_that_do_not_hold_all(other: gemma4.LLM) -> None:
    """Pages for one request and a half of the whole context: all are answered as they are alone."""
    llm = gemma4.load(tiny_chat_directory(), context=512, max_requests=8, kv_memory=2**20)
    info = llm.info
    assert (info.context, info.max_requests) == (512, 8)
    assert 512 <= info.kv_tokens < 8 * 512
    assert info.kv_bytes <= 2**20
    assert any(f"room for {info.kv_tokens:,} tokens" in note for note in info.notes)
    settings = {"temperature": 0.0, "max_tokens": 150}
    questions = [f"{number}. {QUESTION}" for number in range(8)]
    expected = [other.chat(question, **settings).text for question in questions]
    running = [llm.stream(question, **settings) for question in questions]
    texts = ["" for _ in running]
    waiting = set(range(8))
    while waiting:
        for index in sorted(waiting):
            event = next(running[index], None)
            if event is None:
                waiting.remove(index)
            elif isinstance(event, ContentDelta):
                texts[index] += event.text
        llm.streams.check()
    assert texts == expected
    counters = llm.streams.engine.counters
    assert (counters.faults, counters.pages_held) == (0, (0, 0))


def test_memory_for_keys_and_values_bounds_the_context() -> None:
    llm = gemma4.load(tiny_chat_directory(), kv_memory=2**20)
    assert llm.info.kv_bytes <= 2**20
    assert 32 <= llm.info.context < 8192
    assert any(
        f"the context is {llm.info.context:,} tokens of the 8,192" in n for n in llm.info.notes
    )
    with pytest.raises(ContextError, match=rf"the context holds {llm.info.context}"):
        llm.stream("word " * llm.info.context)
    with pytest.raises(
        ContextError, match=r"4096 tokens was asked for and 1 MiB .* hold \d+; give"
    ):
        gemma4.load(tiny_chat_directory(), kv_memory=2**20, context=4096)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kv_dtype": "q8_0"}, "kv_dtype 'q8_0' is unknown; give auto, float32"),
        ({"kv_memory": 0}, "kv_memory=0 is too little; give 1 or more"),
        ({"max_requests": 0}, "max_requests=0 is too little; give 1 or more"),
        ({"context": 0}, "a context of 0 tokens was asked for and the model holds 1 to 8192"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gemma4.load(tiny_chat_directory(), **options)


def failing_in_company(forward: Callable[[Batch], Output]) -> Callable[[Batch], Output]:
    def fail(batch: Batch) -> Output:
        if len(batch.lengths) > 1:
            raise MemoryError("too many rows")
        return forward(batch)

    return fail


def test_an_answer_says_that_passes_were_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = gemma4.load(tiny_chat_directory(), context=1024, drafter=None)
    engine = llm.streams.engine
    expected = llm.chat("Hello", **GREEDY)
    assert expected.finished.warnings == ()
    monkeypatch.setattr(engine, "_forward", failing_in_company(engine._forward))
    one, other = (llm.stream("Hello", **GREEDY) for _ in range(2))
    first = next(one)
    answers = [[first], []]
    for event in other:
        answers[1].append(event)
    answers[0] += one
    for events in answers:
        assert text_of(events) == expected.text
        told = re.fullmatch(
            r"(\d+) passes failed and were repeated request by request: MemoryError: too many rows",
            events[-1].warnings[0],
        )
        assert told is not None
        assert 2 <= int(told[1]) == engine.counters.faults
    assert llm.chat("Hello", **GREEDY).finished.warnings == ()  # what was before is not told again


class BreaksInDrafting:
    def propose(self, _requests: object, _kv: object) -> dict[int, tuple[int, ...]]:
        raise RuntimeError("the drafter broke")

    def learn(self, _passed: object, *, seconds: float | None) -> None:
        pass

    def forget(self, _request: object) -> None:
        pass

    def check(self) -> None:
        pass


def test_answers_say_that_drafting_was_stopped() -> None:
    """Also the next: it too is made without drafts."""
    llm = gemma4.load(tiny_chat_directory(), context=1024, drafter=None)
    llm.streams.engine.use_drafting(BreaksInDrafting())
    told = ("drafting was stopped by an error: RuntimeError: the drafter broke",)
    assert llm.chat("Hello", **GREEDY).finished.warnings == told
    assert llm.chat("Hello", **GREEDY).finished.warnings == told
    llm.streams.engine.use_drafting(None)
    assert llm.chat("Hello", **GREEDY).finished.warnings == ()


def test_an_answer_says_that_its_source_of_drafts_failed() -> None:
    def fail(_tip: Tip, _count: int) -> list[int]:
        raise RuntimeError("the drafter broke")

    llm = gemma4.load(tiny_chat_directory(), context=1024, drafter=None)
    llm.streams.engine.use_drafting(VirtualTime(Scripted(fail)))
    finished = llm.chat("Hello", **GREEDY).finished
    assert finished.warnings == (
        "drafting was stopped by an error: RuntimeError: the drafter broke",
    )
    assert finished.speculation is not None
    assert finished.speculation.off_reason == "drafting failed: RuntimeError: the drafter broke"
