"""Drives the chat page in a headless Chromium, in the words of its users."""

import json
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

PATIENCE = 15_000  # milliseconds: tests share their processors with others
expect.set_options(timeout=PATIENCE)


def _png() -> bytes:
    """One blue dot, written by hand: three chunks, each with its length and check."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\x20\x40\xc0")), (b"IEND", b"")]
    written = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


PNG = _png()


def chromium() -> str | None:
    """The browser's program; None where it is not installed."""
    return (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )


def launch(playwright: Playwright) -> Browser:
    """A browser without a window; its sandbox does not work for root, as whom containers run."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=chromium(), args=arguments)


class Driver:
    """One tab of the page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.set_default_navigation_timeout(4 * PATIENCE)
        page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(message.text),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)

    def open(self, path: str = "/") -> "Driver":
        """Load the page and wait until it is ready."""
        self.page.goto(self.address + path)
        return self.ready()

    def ready(self) -> "Driver":
        """Wait until the page is."""
        self.page.wait_for_selector("body[data-ready]")
        return self

    def reload(self) -> "Driver":
        """As the user's reload."""
        self.page.reload()
        return self.ready()

    # ── words and answers ─────────────────────────────────────────────────────────────────────────

    @property
    def box(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def replies(self) -> Locator:
        """All answers that are shown."""
        return self.page.locator("article.reply")

    @property
    def questions(self) -> Locator:
        """All of the user's messages that are shown."""
        return self.page.locator("article.question")

    @property
    def prose(self) -> Locator:
        """The text of the last answer."""
        return self.replies.last.locator(".answer-body")

    def send(self, text: str) -> None:
        """Write and press Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def ask(self, text: str) -> Locator:
        """Send, and wait for the whole answer; the answer."""
        before = self.replies.count()
        self.send(text)
        expect(self.replies).to_have_count(before + 1)
        return self.settled()

    def settled(self) -> Locator:
        """The last answer, when nothing runs any more."""
        expect(self.page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
        last = self.replies.last
        expect(last).to_have_attribute("aria-busy", "false")
        return last

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """A button by its name."""
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def choose(self, button: str | Locator, item: str) -> None:
        """Open a menu and choose from it."""
        (self.button(button) if isinstance(button, str) else button).click()
        self.page.locator(".menu:visible").get_by_text(item, exact=True).first.click()

    # ── the rest of the page ──────────────────────────────────────────────────────────────────────

    @property
    def notices(self) -> Locator:
        """Short words at the edge."""
        return self.page.locator(".notice")

    @property
    def titles(self) -> Locator:
        """Titles in the list of conversations."""
        return self.page.locator(".conversation .title")

    def field(self, name: str) -> Locator:
        """A box for text by its name."""
        return self.page.get_by_role("textbox", name=name, exact=True)

    def settings(self) -> Locator:
        """The panel of settings, open."""
        panel = self.page.locator("#panel")
        if not panel.is_visible():
            self.button("Settings").click()
        return panel

    def attach(self, *files: Path | dict[str, Any]) -> None:
        """As with the button: paths, or name, mimeType and buffer."""
        self.page.get_by_label("Files to attach").set_input_files(list(files))

    def give(self, event: str, target: str, name: str, kind: str, data: bytes) -> None:
        """Paste or drop a file on an element."""
        self.page.evaluate(
            """([event, target, name, type, bytes]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
              const init = { bubbles: true, cancelable: true };
              const made = event === "paste"
                ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
                : new DragEvent(event, { ...init, dataTransfer: transfer });
              document.querySelector(target).dispatchEvent(made);
            }""",
            [event, target, name, kind, list(data)],
        )

    def read_json(self, path: Path) -> Any:
        """A file that the page handed out."""
        return json.loads(path.read_text())
