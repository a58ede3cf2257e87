"""What goes wrong is said with its cause, and nothing that was written is lost."""

from page_driver import Driver
from page_server import Break, PageServer, Refuse, Script, say
from playwright.sync_api import BrowserContext, expect


def test_the_servers_words_are_shown(chat: Driver, script: Script) -> None:
    words = (
        "This request has 9000 tokens; the context of e4b is 8192. Shorten it, or use --ctx 16384."
    )
    script.answer(Refuse(400, words, "context_length_exceeded"))
    expect(chat.ask("Long").get_by_role("alert")).to_have_text(words)
    expect(chat.questions).to_contain_text("Long")
    chat.complaints.clear()  # the browser itself notes the 400


def test_an_error_in_the_stream_keeps_what_came(chat: Driver, script: Script) -> None:
    script.answer(say("Half"), Break("The model produced no number: layer 3."))
    reply = chat.ask("Hi")
    expect(reply.locator(".answer-body")).to_have_text("Half")
    expect(reply.get_by_role("alert")).to_have_text("The model produced no number: layer 3.")
    script.answer(say("Whole."))
    chat.button("Try again", reply).click()
    expect(chat.prose).to_have_text("Whole.")
    expect(chat.settled().locator(".branch-place")).to_have_text("2 / 2")


def test_a_server_that_is_gone(context: BrowserContext) -> None:
    server = PageServer()
    server.start()
    chat = Driver(context.new_page(), server.address).open()
    server.stop()
    reply = chat.ask("Are you there?")
    expect(reply.get_by_role("alert")).to_have_text(
        "The server cannot be reached. Is gemma4 serve still running?"
    )
    expect(chat.questions).to_contain_text("Are you there?")


def test_an_answer_that_is_no_stream(chat: Driver) -> None:
    chat.page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(status=502, body="<html>Bad gateway</html>"),
    )
    expect(chat.ask("Hi").get_by_role("alert")).to_have_text(
        "The server answered 502: <html>Bad gateway</html>"
    )
    chat.complaints.clear()  # the browser itself notes the 502


def test_a_key_is_asked_for_and_kept(chat: Driver, script: Script) -> None:
    script.key = "secret"
    chat.page.reload()
    dialog = chat.page.get_by_role("dialog", name="API key")
    dialog.get_by_label("API key").fill("wrong")
    chat.button("Use this key", dialog).click()
    expect(dialog.get_by_label("API key")).to_have_value("")
    dialog.get_by_label("API key").fill("secret")
    chat.button("Use this key", dialog).click()
    chat.ready()
    expect(chat.ask("Hi")).to_contain_text("Hello!")
    chat.reload()
    expect(chat.page.locator(".model-name")).to_have_text("e4b")
    expect(chat.page.get_by_role("dialog")).to_have_count(0)
    chat.complaints.clear()  # the browser itself notes the 401


def test_a_key_that_is_not_given_is_an_error_in_words(chat: Driver, script: Script) -> None:
    script.key = "secret"
    chat.send("Hi")
    chat.button("Cancel", chat.page.get_by_role("dialog", name="API key")).click()
    expect(chat.settled().get_by_role("alert")).to_have_text("A valid API key is needed.")
    chat.complaints.clear()


def test_a_server_without_models(chat: Driver, script: Script) -> None:
    script.models = []
    chat.page.evaluate("localStorage.clear()")
    chat.reload()
    expect(chat.page.locator(".welcome-facts")).to_have_text("The server has no model yet.")
    chat.send("Hi")
    expect(chat.notices).to_contain_text("There is no model to ask")
    expect(chat.box).to_have_value("Hi")


def test_a_browser_that_keeps_nothing_says_so(
    context: BrowserContext, script: Script, address: str
) -> None:
    assert script.bodies == []
    context.add_init_script(
        "indexedDB.open = () => { throw new DOMException('Storage is switched off'); };"
    )
    chat = Driver(context.new_page(), address).open()
    expect(chat.notices.first).to_contain_text("Storage is switched off")
    script.answer(say("Still here."))
    expect(chat.ask("Hi")).to_contain_text("Still here.")
