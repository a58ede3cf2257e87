"""An answer comes piece by piece, with its thoughts and figures, and can be stopped."""

import time

from page_driver import Driver
from page_server import Break, End, Script, Wait, say, think
from playwright.sync_api import expect


def test_an_answer_is_shown_while_it_comes(chat: Driver, script: Script) -> None:
    script.answer(say("First words. "), Wait(), say("Last words."))
    chat.send("Hi")
    expect(chat.prose).to_have_text("First words.")
    script.go()
    expect(chat.settled()).to_contain_text("First words. Last words.")


def test_the_request_asks_for_a_stream_with_usage(chat: Driver, script: Script) -> None:
    chat.ask("Hi there")
    assert script.bodies == [
        {
            "model": "e4b",
            "messages": [{"role": "user", "content": "Hi there"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_stop_ends_the_request_and_keeps_what_came(chat: Driver, script: Script) -> None:
    script.answer(say("Half an answer"), Wait(), say(" and more"))
    chat.send("Hi")
    expect(chat.prose).to_have_text("Half an answer")
    chat.button("Stop").click()
    reply = chat.settled()
    expect(reply).to_contain_text("Half an answer")
    expect(reply).to_contain_text("You stopped this answer.")
    for _ in range(50):
        if script.aborted:
            break
        time.sleep(0.05)
    assert script.aborted == 1, "the server still works on an answer that nobody wants"


def test_thoughts_are_folded_and_their_clock_runs(chat: Driver, script: Script) -> None:
    script.answer(think("Let me *see*. "), Wait(), think("Yes."), say("It is so."))
    chat.send("Why?")
    thought = chat.replies.last.locator("details.thought")
    expect(thought.locator(".thought-words")).to_have_text("Thinking")
    clock = thought.get_by_role("timer")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    assert before.endswith("s")
    script.go()
    reply = chat.settled()
    expect(thought.locator(".thought-words")).to_contain_text("Thought for ")
    expect(clock).to_be_empty()
    assert not thought.evaluate("node => node.open")
    expect(reply.locator(".answer-body")).to_have_text("It is so.")
    thought.locator("summary").click()
    expect(thought.locator("em")).to_have_text("see")


def test_figures_of_an_answer(chat: Driver, script: Script) -> None:
    report = {"device": "cpu", "sampling": {"temperature": 0.7, "seed": 42}}
    script.answer(say("one two three four", 5), End(prompt=4000, report=report))
    reply = chat.ask("Count")
    expect(reply.locator(".figures")).to_contain_text("42.5 tokens/s")
    expect(reply.locator(".figures")).to_contain_text("first after")
    expect(reply.locator(".figures")).to_contain_text("4 tokens")
    gauge = chat.page.locator(".gauge")
    expect(gauge).to_have_attribute(
        "aria-label", "4,004 of 8,192 tokens of context used: 4,000 read, 4 written"
    )
    chat.button("What was done", reply).click()
    facts = chat.page.get_by_role("dialog", name="What was done")
    expect(facts).to_contain_text("temperature 0.7, seed 42")
    expect(facts).to_contain_text("4,000 tokens, 3 known from before")


def test_speed_is_estimated_while_an_answer_comes(chat: Driver, script: Script) -> None:
    script.answer(say("one two three four ", 4), Wait(), say("five"), Wait(), say("."))
    chat.send("Go")
    expect(chat.prose).to_contain_text("four")
    chat.page.wait_for_timeout(600)  # no estimate from less than half a second
    script.go()
    expect(chat.replies.last.locator(".figures")).to_contain_text("≈")
    script.go()
    expect(chat.settled().locator(".figures")).not_to_contain_text("≈")


def test_the_view_follows_unless_the_reader_scrolls_up(chat: Driver, script: Script) -> None:
    script.answer(
        say("\n\n".join(f"Paragraph {n}." for n in range(60))), Wait(), say("\n\nThe end.")
    )
    chat.send("Long")
    expect(chat.prose).to_contain_text("Paragraph 59.")
    at = chat.page.locator("#thread")
    expect(chat.prose.get_by_text("Paragraph 59.")).to_be_in_viewport()
    at.evaluate("node => node.scrollTop = 0")
    expect(chat.button("To the end")).to_be_visible()
    script.go()
    expect(chat.settled()).to_contain_text("The end.")
    assert at.evaluate("node => node.scrollTop") == 0
    chat.button("To the end").click()
    expect(chat.prose.get_by_text("The end.")).to_be_in_viewport()


def test_an_answer_that_is_cut_can_go_on(chat: Driver, script: Script) -> None:
    script.answer(say("One, two,"), End("length"))
    reply = chat.ask("Count")
    expect(reply).to_contain_text("The answer reached its limit of tokens.")
    script.answer(say(" three."))
    chat.button("Continue", reply).click()
    expect(chat.settled().locator(".answer-body")).to_have_text("One, two, three.")
    body = script.bodies[-1]
    assert body["continue_final_message"] is True
    assert body["messages"][-1] == {"role": "assistant", "content": "One, two,"}
    expect(chat.replies).to_have_count(1)


def test_a_lost_connection_keeps_what_came(chat: Driver, script: Script) -> None:
    script.answer(say("Half"), Break())
    reply = chat.ask("Hi")
    expect(reply).to_contain_text("The connection was lost before the answer was complete.")
    expect(reply.locator(".answer-body")).to_have_text("Half")
    script.answer(say(" and whole."))
    chat.button("Continue", reply).click()
    expect(chat.settled().locator(".answer-body")).to_have_text("Half and whole.")
    expect(chat.settled()).not_to_contain_text("lost")
