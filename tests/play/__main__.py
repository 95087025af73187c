"""Measures the page, and prints each figure beside its goal: `python -m tests.play`, on an idle machine.

The training's speed with the page and without it is measured in turns, in one process: the page is shown for some
seconds, then the tab shows nothing, and so on.
"""

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.play.browser import chromium, wait_for_frames
from tests.play.play_server import play_server

SECONDS = 5
TURN_SECONDS = 4
TURNS = 3
WINDOW: Any = {"width": 1400, "height": 1000}


def main() -> None:
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        cold = first_frame(browser, Path(folder), Path(folder) / "programs")
        row("first frame, cold", f"{cold:.2f} s", "8 s")
        first_frame(browser, Path(folder))
        row("first frame, warm", f"{min(first_frame(browser, Path(folder)) for _ in range(2)):.2f} s", "2 s")
        with page_of(browser, Path(folder), "circles_mlp", "--train.epochs=1000000") as page:
            one_seed(page)
            clicks(page)
        for name, words, goal in (
            ("8 seeds of circles_mlp", ("circles_mlp", "--seeds=8", "--train.epochs=1000000"), 20),
            ("digits_cnn", ("digits_cnn", "--train.epochs=1000"), 10),
        ):
            with page_of(browser, Path(folder), *words) as page:
                page.select_option("#speed", "")
                pauses = watched(page, SECONDS)
                row(f"{name}, frames a second", f"{1000 / statistics.median(pauses):.0f}", f"{goal}")
                if name == "digits_cnn":
                    pen(page)
        weight(browser, Path(folder))


def row(name: str, measured: str, goal: str) -> None:
    print(f"{name:48} {measured:>14}   goal {goal}", flush=True)


@contextmanager
def page_of(browser: Browser, folder: Path, *words: str) -> Iterator[Page]:
    """The page of `jaxnn play` with these words, as soon as it has drawn a frame."""
    with play_server(folder, *words) as server:
        page = browser.new_page(viewport=WINDOW)
        page.goto(server.address)
        wait_for_frames(page)
        yield page
        page.close()


def first_frame(browser: Browser, folder: Path, programs: Path | None = None) -> float:
    """Seconds from the command to the first frame in the browser. programs: an empty cache of compiled programs"""
    old = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if programs is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(programs)
    try:
        started = time.perf_counter()
        with page_of(browser, folder, "circles_mlp"):
            return time.perf_counter() - started
    finally:
        if programs is not None:
            os.environ.pop("JAX_COMPILATION_CACHE_DIR")
            if old is not None:
                os.environ["JAX_COMPILATION_CACHE_DIR"] = old


def watched(page: Page, seconds: float) -> list[float]:
    """Milliseconds between the frames that are drawn in so many seconds."""
    wait_for_frames(page, 5)
    first = page.evaluate("jaxnnFrames.length")
    time.sleep(seconds)
    times = [at for at, _ in page.evaluate(f"jaxnnFrames.slice({first})")]
    return sorted(later - earlier for earlier, later in itertools.pairwise(times))


def one_seed(page: Page) -> None:
    """Frames at the speed that the page begins with, and the speed of the training with and without the page."""
    pauses = watched(page, SECONDS)
    row("circles 2-10-2, frames a second", f"{1000 / statistics.median(pauses):.0f}", "30")
    row("circles 2-10-2, 95 % of the pauses within", f"{pauses[int(0.95 * len(pauses))]:.0f} ms", "50 ms")
    page.select_option("#speed", "")
    pauses = watched(page, SECONDS)
    row("the same as fast as it goes, frames a second", f"{1000 / statistics.median(pauses):.0f}", "30")
    row("the same, 95 % of the pauses within", f"{pauses[int(0.95 * len(pauses))]:.0f} ms", "50 ms")
    shares = []
    for _ in range(TURNS):
        page.click("#reset")  # so that the run does not end in between
        wait_for_frames(page, 5)
        shown = steps_a_second(page, lambda: time.sleep(TURN_SECONDS))
        page.click("#reset")
        wait_for_frames(page, 5)
        page.evaluate("globalThis.jaxnnAsleep = true")
        hidden = steps_a_second(page, lambda: time.sleep(TURN_SECONDS))
        page.evaluate("globalThis.jaxnnAsleep = false")
        wait_for_frames(page, 3)
        shares.append(shown / hidden)
        print(f"  steps a second: {shown:,.0f} with the page, {hidden:,.0f} without", flush=True)
    row("speed of the training with the page / without", f"{statistics.median(shares):.2f}", "0.9")


def steps_a_second(page: Page, wait: Callable[[], object]) -> float:
    """The steps of the training in a second, by the server's own count."""
    script = """async () => {
        const { frame } = await import("/server.js");
        const { view } = await frame(0, 0);
        const { steps } = await frame(view, 0);
        return [performance.now(), steps];
    }"""
    first_at, first = page.evaluate(script)
    wait()
    last_at, last = page.evaluate(script)
    return 1000 * (last - first) / (last_at - first_at)


def clicks(page: Page) -> None:
    """Milliseconds from a click on the play button until the page shows its effect."""
    found = []
    for _ in range(10):
        before = page.inner_text("#play")
        found.append(
            page.evaluate(
                """async (before) => {
                const button = document.getElementById("play"), started = performance.now();
                button.click();
                while (button.textContent === before) await new Promise((resolve) => setTimeout(resolve, 1));
                return performance.now() - started;
            }""",
                before,
            )
        )
    row("a click, shown after", f"{max(found):.0f} ms", "100 ms")


def pen(page: Page) -> None:
    """Milliseconds from lifting the pen until the bars are drawn."""
    box = page.locator("#pen").bounding_box()
    assert box is not None
    page.locator("#pen").scroll_into_view_if_needed()
    box = page.locator("#pen").bounding_box()
    assert box is not None
    found = []
    for i in range(6):
        page.click("#clear")
        page.mouse.move(box["x"] + 100 + 5 * i, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 110, box["y"] + 200, steps=8)
        page.evaluate("""() => {
            globalThis.lifted = new Promise((resolve) => {
                let started = 0;
                const pen = document.getElementById("pen");
                pen.addEventListener("pointerup", () => (started = performance.now()), { once: true });
                new MutationObserver((_, observer) => {
                    if (!document.getElementById("bars").children.length) return;
                    observer.disconnect();
                    resolve(performance.now() - started);
                }).observe(document.getElementById("bars"), { childList: true });
            });
        }""")
        page.mouse.up()
        found.append(page.evaluate("globalThis.lifted"))
    # The first drawing compiles the prediction.
    row("a pen lifted, shown after (first)", f"{max(found[1:]):.0f} ms ({found[0]:.0f})", "100 ms")


def weight(browser: Browser, folder: Path) -> None:
    """The bytes of the page, the requests to other origins, and what axe-core finds in light, in dark and at 400 px."""
    from axe_playwright_python.sync_playwright import Axe

    with play_server(folder, "circles_mlp") as server:
        violations = 0
        for options in (
            {"color_scheme": "light"},
            {"color_scheme": "dark"},
            {"viewport": {"width": 400, "height": 800}},
        ):
            page = browser.new_page(**{"viewport": WINDOW, **options})
            requests: list[str] = []
            sizes: dict[str, int] = {}
            page.on("request", lambda request: requests.append(request.url))  # noqa: B023  # called in this turn alone
            page.on("response", lambda answer: _weigh(answer, sizes))  # noqa: B023
            page.goto(server.address)
            wait_for_frames(page, 3)
            violations += Axe().run(page).violations_count
            page.close()
        others = sum(not url.startswith((f"http://127.0.0.1:{server.port}/", "blob:", "data:")) for url in requests)
        row("weight of the page", f"{sum(sizes.values()) / 1000:.0f} kB", "150 kB")
        row("requests to other origins", f"{others}", "0")
        row("violations that axe-core finds", f"{violations}", "0")


def _weigh(answer: Any, sizes: dict[str, int]) -> None:
    if "/api/" not in answer.url:
        sizes[answer.url] = len(answer.body())


if __name__ == "__main__":
    main()
