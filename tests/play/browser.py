"""Debian's Chromium, driven by Playwright; skipped with a plain word where there is none."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

#: The browser: a path in JAXNN_CHROMIUM, or one of these on the path.
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


def chromium_path() -> str | None:
    """The browser on this machine; None where there is none."""
    return os.environ.get("JAXNN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser while the block runs. Skips the test where there is none."""
    path = chromium_path()
    if path is None:
        pytest.skip("the page is tested in Chromium, which is not on this machine: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def until(page: Page, script: str, seconds: float = 30) -> Any:
    """What a script gives as soon as it gives something true.

    Not by `wait_for_function`, which evaluates a text in the page: the page's policy forbids it.
    """
    end = time.monotonic() + seconds
    while not (found := page.evaluate(script)):
        assert time.monotonic() < end, f"after {seconds} seconds: {script}; {page.inner_text('#status')}"
        time.sleep(0.01)
    return found


def frames(page: Page) -> int:
    """How many frames the page has drawn."""
    return page.evaluate("(globalThis.jaxnnFrames ?? []).length")


def wait_for_frames(page: Page, count: int = 1, seconds: float = 60) -> None:
    """Waits until the page has drawn so many more frames."""
    first = frames(page)
    until(page, f"(globalThis.jaxnnFrames ?? []).length >= {first + count}", seconds)
