"""Takes the pictures of the chat page that the documentation shows: `scripts/screenshots`.

The answers are scripted; the page, its markup and its figures are as users see them.
"""

import io
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from page_driver import Driver, launch
from page_server import FULL, End, PageServer, Wait, call, model, say, think, tool
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, expect, sync_playwright

SCREENS = {"desktop": (1280, 1040, 1.0), "phone": (390, 844, 2.0)}
THEMES = ("light", "dark")
PAST = [
    ("Sort the bakery's orders by pick-up time", 0.06),
    ("Why does bread rise?", 0.2),
    ("Regex for ISO dates", 1.1),
    ("Letter to the landlord", 1.3),
    ("Plan for the herb garden", 3),
    ("Translate the tram timetable", 4),
    ("What the error in make means", 5),
]
THOUGHT = (
    "A bay between hills, late in the day. The user also asks about the weather: there is a tool."
)
ANSWER = """It shows a **fjord on a clear evening**: still water, a low sun, hills to the shore. \
The night is less kind:

| Time | Sky | Rain | Wind |
|:-----|:----|-----:|-----:|
| 18:00 | clear | 0 mm | 2 m/s |
| 20:00 | cloudy | 0.4 mm | 5 m/s |
| 22:00 | rain | 2.1 mm | 8 m/s |

That makes $0.4 + 2.1 = 2.5$ mm, so take the umbrella along."""


def landscape() -> bytes:
    """An evening by the water, drawn: sky, sun, hills, and their reflection."""
    width, height, shore = 960, 640, 400
    picture = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(picture)
    for y in range(shore):
        part = y / shore
        pen.line(
            [(0, y), (width, y)], (int(70 + 185 * part), int(96 + 104 * part), int(150 - 10 * part))
        )
    pen.ellipse([600, 262, 690, 352], (255, 236, 190))
    for layer, (base, swing, colour) in enumerate(
        [(270, 60, (122, 112, 142)), (325, 40, (78, 82, 110)), (372, 22, (40, 50, 68))]
    ):
        ridge = [
            (
                x,
                base
                - swing * math.sin(x / (150 - 30 * layer) + layer * 2)
                - 14 * math.sin(x / 31 + layer),
            )
            for x in range(0, width + 8, 8)
        ]
        pen.polygon([(0, shore), *ridge, (width, shore)], colour)
    water = picture.crop((0, 2 * shore - height, width, shore)).transpose(
        Image.Transpose.FLIP_TOP_BOTTOM
    )
    water = Image.blend(
        water.filter(ImageFilter.GaussianBlur(4)), Image.new("RGB", water.size, (40, 58, 92)), 0.35
    )
    picture.paste(water, (0, shore))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def past() -> bytes:
    """Conversations of the last days, as a file that the page imports."""
    now = time.time() * 1000
    conversations = []
    for title, days in PAST:
        at = now - days * 86_400_000
        node = {
            "id": "q",
            "conversation": "c",
            "parent": None,
            "role": "user",
            "text": title,
            "attachments": [],
            "created": at,
        }
        record = {
            "id": "c",
            "title": title,
            "created": at,
            "updated": at,
            "model": "e4b",
            "settings": {},
            "head": "q",
        }
        conversations.append({"record": record, "nodes": [node]})
    return json.dumps(
        {"format": "gemma4.conversations", "version": 1, "conversations": conversations}
    ).encode()


def prepare(server: PageServer) -> None:
    """What the server has, and the two answers of the conversation."""
    script = server.script
    script.models = [
        model("e4b", FULL, context=131_072),
        model("12b", FULL, loaded=False, context=262_144),
    ]
    script.tools = [
        tool(
            "forecast",
            "Says the weather of the next hours at a place.",
            place="string",
            hours="integer",
        )
    ]
    script.results = {
        "forecast": "18:00 clear 0 mm 2 m/s\n20:00 cloudy 0.4 mm 5 m/s\n22:00 rain 2.1 mm 8 m/s"
    }
    script.answer(
        think(THOUGHT, 6),
        Wait(),
        call("forecast", {"place": "Bergen", "hours": 6}),
        End("tool_calls", prompt=412),
    )
    script.answer(say(ANSWER, 4), End(prompt=9_874))


def take(browser: Browser, server: PageServer, screen: str, theme: str) -> bytes:
    """Lead the conversation and take its picture, as PNG."""
    width, height, scale = SCREENS[screen]
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": height},
        "device_scale_factor": scale,
    }
    context = browser.new_context(
        **options, color_scheme=theme, reduced_motion="reduce", has_touch=screen == "phone"
    )
    server.script.answers.clear()
    prepare(server)
    chat = Driver(context.new_page(), server.address).open()
    file = {"name": "conversations.json", "mimeType": "application/json", "buffer": past()}
    chat.page.get_by_label("File of conversations").set_input_files([file])
    expect(chat.notices).to_have_count(1)
    chat.page.get_by_label("Close this notice").click()
    chat.attach({"name": "evening.jpg", "mimeType": "image/jpeg", "buffer": landscape()})
    chat.send("I took this near Bergen. What does it show, and will I need an umbrella tonight?")
    chat.page.wait_for_timeout(1800)  # a thought takes its time
    server.script.go()
    chat.button("Allow").click()
    expect(chat.prose).to_contain_text("take the umbrella along")
    chat.settled()
    chat.page.locator(".katex").first.wait_for()
    chat.page.wait_for_timeout(300)
    if screen == "phone":
        chat.page.locator("#thread").evaluate("node => (node.scrollTop = 0)")
    chat.page.mouse.move(640, 20)  # away from what shows only below a pointer
    shot = chat.page.screenshot()
    context.close()
    return shot


def main(folder: Path) -> None:
    """Write all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    server = PageServer()
    server.start()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for screen in SCREENS:
            for theme in THEMES:
                image = Image.open(io.BytesIO(take(browser, server, screen, theme)))
                image.convert("RGB").save(folder / f"{screen}-{theme}.png", optimize=True)
        browser.close()
    server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
