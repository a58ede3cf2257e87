"""The server's defaults are shown; what the user changes, and nothing else, is sent."""

from page_driver import Driver
from page_server import Script, Wait, say
from playwright.sync_api import expect


def test_the_panel_shows_the_servers_defaults(chat: Driver) -> None:
    panel = chat.settings()
    for label, value in {
        "Temperature": "1",
        "Top p": "0.95",
        "Top k": "64",
        "Min p": "0",
        "Repetition penalty": "1",
    }.items():
        expect(panel.get_by_label(label, exact=True)).to_have_value(value)
    expect(panel.get_by_label("Thinking")).to_have_value("")
    expect(panel).to_contain_text("8,192 tokens")


def test_only_changed_values_are_sent(chat: Driver, script: Script) -> None:
    panel = chat.settings()
    panel.get_by_label("Temperature", exact=True).fill("0.3")
    panel.get_by_label("Top k", exact=True).fill("12")
    panel.get_by_label("Seed", exact=True).fill("7")
    panel.get_by_label("Longest answer", exact=True).fill("100")
    panel.get_by_label("Picture detail").select_option("560")
    panel.get_by_label("Thinking").select_option("high")
    chat.ask("Hi")
    known = {"model", "messages", "stream", "stream_options"}
    changed = {key: value for key, value in script.bodies[0].items() if key not in known}
    assert changed == {
        "temperature": 0.3,
        "top_k": 12,
        "seed": 7,
        "max_tokens": 100,
        "image_budget": 560,
        "reasoning_effort": "high",
    }
    chat.button("Back to the server's temperature").click()
    expect(panel.get_by_label("Temperature", exact=True)).to_have_value("1")
    chat.ask("Again")
    assert "temperature" not in script.bodies[1]


def test_numbers_out_of_bounds_are_brought_back(chat: Driver, script: Script) -> None:
    panel = chat.settings()
    panel.get_by_label("Top p", exact=True).fill("7")
    panel.get_by_label("Seed", exact=True).fill("-3")
    panel.get_by_label("Seed", exact=True).press("Tab")
    expect(panel.get_by_label("Top p", exact=True)).to_have_value("1")
    chat.ask("Hi")
    assert (script.bodies[0]["top_p"], script.bodies[0]["seed"]) == (1, 0)


def test_the_system_prompt_comes_first_and_stays(chat: Driver, script: Script) -> None:
    chat.settings().get_by_role("textbox", name="System prompt").fill("Be brief.")
    chat.ask("Hi")
    assert script.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    chat.reload()
    expect(chat.settings().get_by_role("textbox", name="System prompt")).to_have_value("Be brief.")
    chat.button("New conversation").click()
    expect(chat.field("System prompt")).to_have_value("")


def test_new_conversations_can_begin_with_these_settings(chat: Driver, script: Script) -> None:
    chat.settings().get_by_role("textbox", name="System prompt").fill("Be kind.")
    chat.button("Begin with these settings").click()
    chat.ask("Hi")
    chat.button("New conversation").click()
    chat.ask("Hello")
    assert script.bodies[1]["messages"][0] == {"role": "system", "content": "Be kind."}


def test_thinking_is_chosen_beside_the_box(chat: Driver, script: Script) -> None:
    chat.choose("Thinking", "Off")
    chat.ask("Hi")
    assert script.bodies[0]["reasoning_effort"] == "none"
    chat.choose("Model", "gemma3:270m")
    expect(chat.page.locator(".quick")).not_to_contain_text("Thinking")


def test_models_and_their_state(chat: Driver, script: Script) -> None:
    chat.button("Model").click()
    menu = chat.page.get_by_role("menu", name="Models")
    expect(menu.get_by_role("menuitemradio", checked=True)).to_contain_text("e4b")
    expect(menu.get_by_role("menuitemradio").nth(0)).to_contain_text("8k context · Loaded")
    expect(menu.get_by_role("menuitemradio").nth(1)).to_contain_text("Loads when asked")
    menu.get_by_text("gemma3:270m").click()
    script.answer(say("I am small."))
    chat.ask("Who are you?")
    assert script.bodies[0]["model"] == "gemma3:270m"
    chat.button("New conversation").click()
    expect(chat.page.locator(".model-name")).to_have_text("gemma3:270m")


def test_a_model_that_is_being_loaded_is_said(chat: Driver, script: Script) -> None:
    script.answer(Wait(), say("Ready."))
    chat.choose("Model", "gemma3:270m")
    chat.send("Hi")
    expect(chat.replies.last).to_contain_text("Loading gemma3:270m …")
    expect(chat.page.locator(".model-state.loading").first).to_be_visible()
    script.models[1]["loaded"] = True
    script.go()
    expect(chat.settled()).to_contain_text("Ready.")
    expect(chat.page.locator("#topbar .model-button .model-state")).to_have_class(
        "model-state loaded"
    )


def test_settings_without_a_server_that_tells_defaults(chat: Driver, script: Script) -> None:
    script.props = {"e4b": {"default_generation_settings": {}, "thinking": False}}
    chat.reload()
    expect(chat.settings().get_by_label("Temperature", exact=True)).to_have_value("")
    expect(chat.page.locator("#set-thinking")).to_have_count(0)
