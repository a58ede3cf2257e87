"""Responses that are kept: in the background, streamed again, listed, cancelled, deleted, pushed out."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from live_server import LiveServer, live_server
from scripted_model import scripted_llm

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.responses.store import Kept, ResponseStore


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    def answer(prompt: str) -> str:
        return "word and " * 60 if "long" in prompt else "Hello, world."

    with live_server([scripted_llm(answer, step_seconds=0.004)]) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[openai.OpenAI]:
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def finished(client: openai.OpenAI, id: str) -> Any:
    for _ in range(500):
        found = client.responses.retrieve(id)
        if found.status not in ("queued", "in_progress"):
            return found
        time.sleep(0.02)
    raise AssertionError(f"{id} is not over")


def test_in_the_background(client: openai.OpenAI) -> None:
    begun = client.responses.create(model="scripted", input="hi", background=True)
    assert begun.status in ("queued", "in_progress")
    found = finished(client, begun.id)
    assert (found.status, found.output_text, found.background) == (
        "completed",
        "Hello, world.",
        True,
    )
    followed = client.responses.create(model="scripted", input="hi", previous_response_id=begun.id)
    assert followed.status == "completed"


def test_a_stream_is_taken_up_where_it_broke_off(client: openai.OpenAI) -> None:
    stream = client.responses.create(model="scripted", input="long", background=True, stream=True)
    events: list[Any] = []
    for event in stream:
        events.append(event)
        if len(events) == 9:
            break
    stream.close()
    assert [event.type for event in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    id = events[0].response.id
    rest: list[Any] = list(client.responses.retrieve(id, stream=True, starting_after=8))
    assert rest[0].sequence_number == 9
    assert rest[-1].type == "response.completed"
    words = [e.delta for e in (*events, *rest) if e.type == "response.output_text.delta"]
    assert "".join(words) == rest[-1].response.output_text == "word and " * 60
    again: list[Any] = list(client.responses.retrieve(id, stream=True))
    assert [event.sequence_number for event in again] == list(range(len(again)))
    assert again[len(events) :] == rest


def test_a_stored_stream_can_be_read_again_and_a_whole_answer_cannot(
    client: openai.OpenAI,
) -> None:
    first: list[Any] = list(client.responses.create(model="scripted", input="hi", stream=True))
    id = first[0].response.id
    assert list(client.responses.retrieve(id, stream=True)) == first
    whole = client.responses.create(model="scripted", input="hi")
    assert client.responses.retrieve(whole.id) == whole
    with pytest.raises(openai.BadRequestError, match="stream: true"):
        list(client.responses.retrieve(whole.id, stream=True))


def test_cancelling(client: openai.OpenAI, server: LiveServer) -> None:
    begun = client.responses.create(model="scripted", input="long", background=True)
    time.sleep(0.1)
    with pytest.raises(openai.BadRequestError, match="can be"):
        client.responses.create(model="scripted", input="hi", previous_response_id=begun.id)
    cancelled = client.responses.cancel(begun.id)
    assert cancelled.status == "cancelled"
    assert cancelled.output[0].status == "incomplete"
    assert client.responses.retrieve(begun.id).status == "cancelled"
    engine = server.models.find("scripted").llm.streams.engine
    for _ in range(500):
        if engine.is_idle:
            break
        time.sleep(0.02)
    assert engine.is_idle
    assert server.models.find("scripted").streams == 0
    whole = client.responses.create(model="scripted", input="hi")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(whole.id)


def test_deleting(client: openai.OpenAI) -> None:
    begun = client.responses.create(model="scripted", input="long", background=True)
    client.responses.delete(begun.id)
    with pytest.raises(openai.NotFoundError, match=begun.id):
        client.responses.retrieve(begun.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(begun.id)


def test_input_items_page_by_page(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": f"word {index}"} for index in range(5)]
    first = client.responses.create(model="scripted", input=asked)
    second = client.responses.create(model="scripted", input="hi", previous_response_id=first.id)
    page = client.responses.input_items.list(second.id, limit=3, order="asc")
    assert page.has_more
    words: list[Any] = [item.to_dict()["content"] for item in page.data]
    assert [one[0]["text"] for one in words] == ["word 0", "word 1", "word 2"]
    everything = list(client.responses.input_items.list(second.id, limit=3))
    assert len(everything) == 7
    assert everything[0].to_dict()["content"] == [{"type": "input_text", "text": "hi"}]
    assert everything[1] == first.output[0]
    with pytest.raises(openai.BadRequestError, match="msg_none"):
        client.responses.input_items.list(second.id, after="msg_none")


def kept(id: str, size: int = 10) -> Kept:
    return Kept(response={"id": id, "output": [], "status": "completed"}, items=[{"a": "x" * size}])


def test_the_longest_unused_makes_room() -> None:
    store = ResponseStore(most=2, most_bytes=10_000)
    store.keep(kept("a"))
    store.keep(kept("b"))
    store.find("a")
    store.keep(kept("c"))
    assert store.find("a").id == "a"
    with pytest.raises(RequestError, match="'b' not found"):
        store.find("b")
    store.keep(kept("d", size=9_900))
    assert store.find("d").id == "d"
    with pytest.raises(RequestError, match="'a' not found"):
        store.find("a")


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    store = ResponseStore(most=5, most_bytes=1_000)
    store.keep(kept("a", size=2_000))
    with pytest.raises(RequestError, match="made room"):
        store.find("a")
    store.keep(kept("b"))
    assert store.find("b").id == "b"
