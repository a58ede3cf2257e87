"""An answer as JSON: the schema is edited here, and the answer checked against it while it comes."""

import json

from page_driver import Driver
from page_server import Script, Wait, say
from playwright.sync_api import Locator, expect

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def with_schema(chat: Driver) -> Locator:
    panel = chat.settings()
    panel.locator("#set-format").select_option("schema")
    panel.get_by_label("JSON schema", exact=True).fill(json.dumps(SCHEMA))
    expect(panel.locator(".schema-state")).to_have_text("This schema can be used.")
    return panel


def test_the_schema_is_sent_and_a_fitting_answer_is_valid(chat: Driver, script: Script) -> None:
    with_schema(chat)
    script.answer(say('{"name": "Ada", '), Wait(), say('"age": 36}'))
    chat.send("Who?")
    verdict = chat.replies.last.locator(".verdict")
    expect(verdict).to_have_text("Valid so far against the schema")
    script.go()
    expect(verdict).to_have_text("Valid against the schema")
    chat.settled()
    assert script.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }
    expect(chat.replies.last.locator("figure.code .language")).to_have_text("json")
    chat.reload()
    expect(chat.replies.last.locator(".verdict")).to_have_text("Valid against the schema")


def test_a_fault_is_seen_while_the_answer_comes(chat: Driver, script: Script) -> None:
    with_schema(chat)
    script.answer(say('{"name": 5, '), Wait(), say('"age": 36}'))
    chat.send("Who?")
    verdict = chat.replies.last.locator(".verdict")
    expect(verdict).to_contain_text("Not valid against the schema")
    expect(verdict.get_by_role("listitem")).to_have_text(
        ['/name: Instance type "number" is invalid. Expected "string".']
    )
    script.go()
    chat.settled()


def test_what_is_missing_is_said_at_the_end(chat: Driver, script: Script) -> None:
    with_schema(chat)
    script.answer(say('{"name": "Ada"}'))
    reply = chat.ask("Who?")
    expect(reply.locator(".verdict")).to_contain_text(
        'Instance does not have required property "age"'
    )
    script.answer(say('{"name": "Ada", "a'))
    reply = chat.ask("Again?")
    expect(reply.locator(".verdict")).to_contain_text("Not complete JSON")


def test_a_faulty_schema_is_not_used(chat: Driver, script: Script) -> None:
    panel = with_schema(chat)
    field = panel.get_by_label("JSON schema", exact=True)
    for text, words in {
        "{": "Not JSON",
        "[]": "A schema is an object",
        '{"$ref": "#/none"}': "Unresolved $ref",
    }.items():
        field.fill(text)
        expect(panel.locator(".schema-state")).to_contain_text(words)
    script.answer(say("{}"))
    chat.ask("Hi")
    assert script.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA


def test_any_json(chat: Driver, script: Script) -> None:
    chat.settings().locator("#set-format").select_option("json")
    expect(chat.button("JSON")).to_be_visible()
    script.answer(say("[1, 2]"))
    expect(chat.ask("Numbers").locator(".verdict")).to_have_text("Valid JSON")
    assert script.bodies[0]["response_format"] == {"type": "json_object"}
    script.answer(say("Sure! Here"))
    expect(chat.ask("Words").locator(".verdict")).to_contain_text("Not valid JSON")
