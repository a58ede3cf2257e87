"""The page on the real server: browser, HTTP, engine and codec are real, the model is a script."""

import time
from collections.abc import Iterator

import pytest
from live_server import LiveServer, live_server
from page_driver import PNG, Driver
from playwright.sync_api import BrowserContext, expect
from scripted_model import scripted_llm


def answer(prompt: str) -> str:
    if "long" in prompt:
        return "word " * 2000
    if "picture" in prompt:
        return "I see it." if "<|image|>" in prompt else "There is none."
    if "schema" in prompt:
        return '{"name":"Ada"}'
    return "<|channel>thought\nTwo and two.<channel|>It is **four**: $2 + 2 = 4$."


@pytest.fixture(scope="module")
def real() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer, step_seconds=0.002)]) as live:
        yield live


@pytest.fixture
def chat(context: BrowserContext, real: LiveServer) -> Iterator[Driver]:
    driver = Driver(context.new_page(), real.url)
    driver.open()
    yield driver
    assert driver.complaints == []
    assert driver.foreign == []


def test_an_answer_with_a_thought_and_a_formula(chat: Driver) -> None:
    chat.button("Thinking").click()
    reply = chat.ask("What is two and two?")
    expect(reply.locator("strong")).to_have_text("four")
    expect(reply.locator(".katex").first).to_be_visible()
    expect(reply.locator("details.thought")).to_contain_text("Thought for")
    expect(reply).to_contain_text("tokens/s")


def test_stop_frees_the_engine(chat: Driver, real: LiveServer) -> None:
    engine = real.models.find("scripted").llm.streams.engine
    chat.send("A long one")
    expect(chat.prose).to_contain_text("word")
    chat.button("Stop").click()
    expect(chat.settled()).to_contain_text("You stopped this answer.")
    for _ in range(100):
        if engine.is_idle:
            break
        time.sleep(0.02)
    assert engine.is_idle


def test_a_picture_reaches_the_model(chat: Driver) -> None:
    chat.attach({"name": "dot.png", "mimeType": "image/png", "buffer": PNG})
    expect(chat.ask("What is in the picture?")).to_contain_text("I see it.")


def test_what_the_server_refuses_is_told_in_its_words(chat: Driver) -> None:
    chat.send("a b " * 9000)
    expect(chat.replies.last).to_contain_text("8192")
    assert "Bad Request" in chat.complaints.pop()  # the browser's own word on the answer's status
