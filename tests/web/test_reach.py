"""Keyboard, names for screen readers, contrast, a phone's width, light and dark."""

import pytest
from page_driver import Driver
from page_server import Script, Wait, call, say, think, tool
from playwright.sync_api import Browser, BrowserContext, expect

WIDE = (
    "| "
    + " | ".join(f"column {n}" for n in range(12))
    + " |\n"
    + "|---" * 12
    + "|\n"
    + "| wide words " * 12
    + "|"
)
LONG = (
    "Word "
    + "x" * 300
    + "\n\n```\n"
    + "y" * 300
    + "\n```\n\n"
    + WIDE
    + "\n\n$$"
    + "a+" * 80
    + "b$$"
)


def test_enter_sends_and_shift_enter_does_not(chat: Driver, script: Script) -> None:
    chat.box.press_sequentially("one")
    chat.box.press("Shift+Enter")
    chat.box.press_sequentially("two")
    chat.box.press("Enter")
    chat.settled()
    assert script.bodies[0]["messages"][0]["content"] == "one\ntwo"


def test_an_input_method_may_use_enter(chat: Driver, script: Script) -> None:
    chat.box.fill("にほ")
    chat.box.dispatch_event(
        "keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    )
    expect(chat.questions).to_have_count(0)
    assert script.bodies == []


def test_escape_stops(chat: Driver, script: Script) -> None:
    script.answer(say("Begins"), Wait())
    chat.send("Hi")
    expect(chat.prose).to_have_text("Begins")
    chat.page.keyboard.press("Escape")
    expect(chat.settled()).to_contain_text("You stopped this answer.")


def test_up_edits_the_last_message(chat: Driver) -> None:
    chat.ask("First")
    chat.ask("Second")
    chat.box.press("ArrowUp")
    expect(chat.field("Edit message")).to_have_value("Second")
    expect(chat.field("Edit message")).to_be_focused()


def test_keys_for_search_and_a_new_conversation(chat: Driver) -> None:
    chat.ask("Hi")
    chat.page.keyboard.press("Control+k")
    expect(chat.page.get_by_label("Search conversations")).to_be_focused()
    chat.page.keyboard.press("Control+Shift+O")
    expect(chat.questions).to_have_count(0)
    expect(chat.box).to_be_focused()


def test_menus_obey_the_keyboard(chat: Driver) -> None:
    button = chat.button("Model")
    button.press("Enter")
    items = chat.page.get_by_role("menuitemradio")
    expect(items.nth(0)).to_be_focused()
    chat.page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(button).to_be_focused()


def test_tab_goes_through_the_page_in_order(chat: Driver) -> None:
    chat.box.fill("x")
    chat.page.get_by_text("Skip to the message box").focus()
    seen = []
    for _ in range(15):
        seen.append(
            chat.page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()"
            )
        )
        chat.page.keyboard.press("Tab")
    wanted = [
        "More",
        "New conversation",
        "Search conversations",
        "Model",
        "Settings",
        "Message",
        "Attach files",
        "Thinking",
        "Send",
    ]
    assert [one for one in seen if one in wanted] == wanted


def full_conversation(chat: Driver, script: Script) -> None:
    script.tools = [tool("weather", "Says the weather.", city="string")]
    chat.reload()
    script.answer(think("Hm."), say(LONG))
    chat.ask("A question " + "z" * 200)
    chat.attach(
        {
            "name": "a very long name of a file that goes on and on.txt",
            "mimeType": "text/plain",
            "buffer": b"x" * 500,
        }
    )
    script.answer(call("weather", {"city": "O" * 200}))
    chat.ask("More")


def test_everything_that_can_be_used_has_a_name(chat: Driver, script: Script) -> None:
    full_conversation(chat, script)
    chat.settings()
    nameless = """() => [...document.querySelectorAll(
        "button, a[href], input, textarea, select, [role=img], [role=region], dialog, nav, aside")]
      .filter((node) => node.checkVisibility() && !node.ariaLabel && !node.getAttribute("aria-labelledby"))
      .filter((node) => !node.labels?.length && !node.textContent.trim())
      .map((node) => node.outerHTML.slice(0, 120))"""
    assert chat.page.evaluate(nameless) == []
    twice = (
        "() => { const all = [...document.querySelectorAll('[id]')].map((node) => node.id);"
        " return all.filter((id, at) => all.indexOf(id) < at); }"
    )
    assert chat.page.evaluate(twice) == []
    assert chat.page.evaluate("document.documentElement.lang") == "en"
    expect(chat.page.locator("#spoken")).to_have_text("The answer is complete.")


CONTRAST = """(selector) => {
  const rgba = (colour) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map((node) => {
    const colours = [rgba(getComputedStyle(node).color), ground(node)];
    const [one, other] = colours.map(light).sort((a, b) => b - a);
    return [node.className || node.localName, Math.round(((one + 0.05) / (other + 0.05)) * 100) / 100];
  });
}"""
TEXTS = (
    ".bubble, .prose p, .prose a, .prose th, .figures, .note span, .thought-words, .language, .tool-name, "
    ".tool-state, dt, dd, .hljs-keyword, .hljs-string, .hljs-comment, .hljs-number, .hljs-title, .title, h1, "
    "h2, h3, .hint, label, .button, .fine, .quick-button, .model-name, .gauge span, small, .none"
)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_words_stand_out_from_their_ground(chat: Driver, script: Script, theme: str) -> None:
    chat.choose("More", theme)
    full_conversation(chat, script)
    script.answer(
        say("```python\n# note\ndef f(x):\n    return 'a' + 1\n```\n\n[link](https://example.org)")
    )
    chat.ask("Code")
    expect(chat.replies.last.locator(".hljs-comment")).to_be_visible()
    chat.settings()
    measured = chat.page.evaluate(CONTRAST, TEXTS)
    assert len(measured) > 40
    assert [
        (name, ratio) for name, ratio in measured if ratio < 4.5
    ] == []  # WCAG AA for small text


SIDEWAYS = """() => [document.documentElement, document.body, ...document.querySelectorAll("#thread, .stage")]
  .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.id || node.localName)"""


def test_no_width_scrolls_sideways(browser: Browser, script: Script, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    chat = Driver(context.new_page(), address).open()
    full_conversation(chat, script)
    for width in (390, 320, 768, 1024):
        chat.page.set_viewport_size({"width": width, "height": 844})
        assert chat.page.evaluate(SIDEWAYS) == [], width
        box = chat.box.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        chat.settings()
        assert chat.page.evaluate(SIDEWAYS) == [], width
        chat.button("Close settings").click()
    context.close()


def test_on_a_phone_the_list_is_a_drawer(browser: Browser, script: Script, address: str) -> None:
    assert script.bodies == []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    chat = Driver(context.new_page(), address).open()
    chat.ask("Hi")
    expect(chat.button("New conversation")).not_to_be_visible()
    chat.button("Conversations").click()
    expect(chat.button("New conversation")).to_be_in_viewport()
    expect(chat.page.get_by_label("Search conversations")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.button("New conversation")).not_to_be_visible()
    chat.button("Conversations").click()
    chat.button("New conversation").click()
    expect(chat.page.get_by_role("heading", name="What is on your mind?")).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    ("scheme", "colour"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(25, 26, 29)")]
)
def test_the_theme_follows_the_system_and_can_be_chosen(
    context: BrowserContext, script: Script, address: str, scheme: str, colour: str
) -> None:
    assert script.bodies == []
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    chat = Driver(page, address).open()
    expect(page.locator("body")).to_have_css("background-color", colour)
    other = "Dark" if scheme == "light" else "Light"
    chat.choose("More", other)
    expect(page.locator("body")).not_to_have_css("background-color", colour)
    chat.reload()
    expect(page.locator("body")).not_to_have_css("background-color", colour)
    chat.choose("More", "As the system")
    expect(page.locator("body")).to_have_css("background-color", colour)
