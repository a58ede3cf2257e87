"""A server with scripted answers and a real browser.

`address` is the seam: another server that takes a `Script` may stand behind it.
"""

from collections.abc import Iterator

import pytest
from page_driver import Driver, chromium, launch
from page_server import PageServer, Script
from playwright.sync_api import Browser, BrowserContext, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a worker."""
    if chromium() is None:
        pytest.skip(
            "CHROMIUM IS NOT INSTALLED: the chat page is not tested. apt-get install chromium"
        )
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server() -> Iterator[PageServer]:
    """The server behind the page."""
    server = PageServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def address(server: PageServer) -> str:
    """Where the page is."""
    return server.address


@pytest.fixture
def script(server: PageServer) -> Script:
    """What the server has and answers, new for each test."""
    server.script = Script()
    return server.script


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nothing of the test before."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def chat(context: BrowserContext, script: Script, address: str) -> Iterator[Driver]:
    """The page, open. After the test nothing may have failed on it, or been asked of another host."""
    assert script.bodies == []
    driver = Driver(context.new_page(), address)
    driver.open()
    yield driver
    assert driver.complaints == []
    assert driver.foreign == []
