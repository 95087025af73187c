"""Takes the pictures of the page of `jaxnn play` in a browser: docs/play.gif and docs/guide/play_*.png.

Usage, on an idle machine with Chromium:

    python -m tests.play.take_pictures
"""

import io
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from tests.play.browser import chromium, until, wait_for_frames
from tests.play.play_server import play_server

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Pictures of the animation, milliseconds of each, and the pause at its end.
FRAMES, MILLISECONDS, PAUSE = 36, 110, 1800
#: Colours of the animation: enough for a boundary without visible steps.
PALETTE = 128
#: What the animation shows.
SPIRALS = """
title = "Spirals: two hidden layers of eight units"
[data]
name = "spirals"
n = 300
turns = 0.75
noise = 0.03
validation = 0.25
[[net]]
layer = "dense"
units = 8
[[net]]
layer = "tanh"
[[net]]
layer = "dense"
units = 8
[[net]]
layer = "tanh"
[[net]]
layer = "dense"
units = 2
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.03
[train]
epochs = 1000
best = "validation.loss"
seeds = 4
"""
WINDOW: Any = {"width": 1180, "height": 590}


def picture(page: Page, **options) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(**options))).convert("RGB")


def animation(page: Page) -> None:
    """Two spirals are learned, from the first step on."""
    page.evaluate("document.getElementById('scenes').hidden = true")
    page.select_option("#speed", "30")
    page.click("#reset")
    wait_for_frames(page, 2)
    page.evaluate("document.activeElement.blur()")
    frames = []
    for _ in range(FRAMES):
        frames.append(picture(page))
        time.sleep(0.2)
    # One palette for all, so that a colour does not flicker.
    palette = frames[-1].quantize(PALETTE)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration = [MILLISECONDS] * (len(small) - 1) + [PAUSE]
    small[0].save(DOCS / "play.gif", save_all=True, append_images=small[1:], duration=duration, loop=0, optimize=True)


def shot(page: Page, name: str, selector: str | None = None) -> None:
    """A picture of the window, or of a part of the page, as docs/guide/play_NAME.png."""
    page.evaluate("document.activeElement.blur()")
    content = page.screenshot() if selector is None else page.locator(selector).screenshot()
    image = Image.open(io.BytesIO(content)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(DOCS / "guide" / f"play_{name}.png", optimize=True)


def main() -> None:
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spirals.toml").write_text(SPIRALS)
        with play_server(Path(folder), "spirals.toml") as server:
            page = browser.new_page(viewport=WINDOW)
            page.goto(server.address)
            wait_for_frames(page, 3)
            animation(page)
            page.set_viewport_size({"width": 1280, "height": 1000})
            page.evaluate("document.getElementById('scenes').hidden = false")
            page.select_option("#speed", "")
            until(page, "document.getElementById('status').textContent.startsWith('Finished')", 120)
            shot(page, "page")
            page.select_option("#mistake", "wrong sign")
            until(page, "document.querySelector('#reading .verdict.bad')", 60)
            shot(page, "microscope", "#microscope")
            page.close()
        with play_server(Path(folder), "digits_cnn") as server:
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
            page.goto(server.address)
            wait_for_frames(page, 3)
            page.evaluate("document.getElementById('scenes').hidden = true")
            until(page, "document.getElementById('status').textContent.startsWith('Finished')", 240)
            box = page.locator("#pen").bounding_box()
            assert box is not None
            turn = [2 * math.pi * i / 24 for i in range(26)]
            places = [
                (
                    box["x"] + (0.5 - 0.2 * math.sin(a)) * box["width"],
                    box["y"] + (0.5 - 0.36 * math.cos(a)) * box["height"],
                )
                for a in turn
            ]
            page.mouse.move(*places[0])
            page.mouse.down()
            for place in places[1:]:
                page.mouse.move(*place)
            page.mouse.up()
            until(page, "document.querySelectorAll('#bars div').length === 10")
            wait_for_frames(page, 2)
            shot(page, "digit")
            page.close()


if __name__ == "__main__":
    main()
