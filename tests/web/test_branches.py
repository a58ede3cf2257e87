"""A message can be said otherwise, an answer asked for again; every version stays."""

from page_driver import Driver
from page_server import Refuse, Script, Wait, say
from playwright.sync_api import expect


def test_regenerate_keeps_both_answers(chat: Driver, script: Script) -> None:
    script.answer(say("Heads"))
    reply = chat.ask("Toss")
    script.answer(say("Tails"))
    chat.button("Another answer", reply).click()
    expect(chat.prose).to_have_text("Tails")
    reply = chat.settled()
    expect(reply.locator(".branch-place")).to_have_text("2 / 2")
    assert script.bodies[1]["messages"] == script.bodies[0]["messages"]
    chat.button("Version before", reply).click()
    expect(chat.prose).to_have_text("Heads")
    expect(chat.replies.last.locator(".branch-place")).to_have_text("1 / 2")
    chat.reload()
    expect(chat.prose).to_have_text("Heads")
    chat.button("Version after").click()
    expect(chat.prose).to_have_text("Tails")


def test_an_edited_message_is_a_branch_of_its_own(chat: Driver, script: Script) -> None:
    script.answer(say("Cats purr."))
    chat.ask("About cats")
    script.answer(say("They do."))
    chat.ask("Really?")
    chat.button("Edit message", chat.questions.first).click()
    field = chat.field("Edit message")
    expect(field).to_have_value("About cats")
    field.fill("About dogs")
    script.answer(say("Dogs bark."))
    field.press("Enter")
    expect(chat.prose).to_have_text("Dogs bark.")
    chat.settled()
    expect(chat.questions).to_have_count(1)
    assert script.bodies[-1]["messages"] == [{"role": "user", "content": "About dogs"}]
    chat.button("Version before").click()
    expect(chat.questions).to_have_count(2)
    expect(chat.prose).to_have_text("They do.")


def test_an_edit_can_be_given_up(chat: Driver, script: Script) -> None:
    chat.ask("Fine as it is")
    chat.button("Edit message").click()
    chat.field("Edit message").fill("Changed")
    chat.page.keyboard.press("Escape")
    expect(chat.questions.locator(".bubble")).to_have_text("Fine as it is")
    assert len(script.bodies) == 1


def test_the_users_own_version_of_an_answer_is_what_the_model_sees(
    chat: Driver, script: Script
) -> None:
    script.answer(say("Wrong."))
    reply = chat.ask("Fact?")
    chat.button("Edit answer", reply).click()
    chat.field("Edit answer").fill("Right")
    chat.button("Keep as a version").click()
    expect(chat.prose).to_have_text("Right")
    expect(chat.replies.last.locator(".branch-place")).to_have_text("2 / 2")
    chat.ask("Sure?")
    assert script.bodies[-1]["messages"][1] == {"role": "assistant", "content": "Right"}


def test_an_answer_that_failed_makes_room_for_the_next(chat: Driver, script: Script) -> None:
    script.answer(Refuse(503, "The queue is full: 8 requests wait."))
    reply = chat.ask("Hi")
    expect(reply.get_by_role("alert")).to_have_text("The queue is full: 8 requests wait.")
    script.answer(say("Here I am."))
    chat.button("Try again").click()
    expect(chat.prose).to_have_text("Here I am.")
    expect(chat.settled().locator(".branch-place")).to_have_count(0)
    chat.complaints.clear()  # the browser itself notes the 503


def test_nothing_is_edited_while_an_answer_comes(chat: Driver, script: Script) -> None:
    script.answer(say("Begins"), Wait(), say("."))
    chat.send("Hi")
    expect(chat.prose).to_have_text("Begins")
    expect(chat.button("Edit message")).to_be_disabled()
    expect(chat.button("Another answer")).to_have_count(0)
    chat.box.fill("Next")
    chat.box.press("Enter")
    expect(chat.box).to_have_value("Next")
    script.go()
    chat.settled()
    assert len(script.bodies) == 1
