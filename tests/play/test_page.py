"""The page in a real browser: what a reader clicks, types, draws and sees."""

import base64
import hashlib
import json
import re
import tomllib
import zlib

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.cli.process import jaxnn_process
from tests.play.browser import chromium, frames, until, wait_for_frames
from tests.play.play_server import play_server

WORDS = ("circles_mlp", "--train.epochs=3000", "--train.eval-every=10", "--data.n=200")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    del browser  # without one there is nothing to serve
    with play_server(tmp_path_factory.mktemp("play"), *WORDS) as running:
        yield running


@pytest.fixture
def page(browser, server):
    """A fresh tab, on the config that the server was started with, at the speed that it begins with."""
    with opened(browser, server) as tab:
        set_config(tab, START)
        yield tab


START: dict = {}


def opened(browser, server, **options):
    """A tab with the page; errors of its scripts fail the test."""
    from contextlib import contextmanager

    @contextmanager
    def tab():
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 1000}, **options})
        made = context.new_page()
        errors = []
        made.on("pageerror", lambda error: errors.append(str(error)))
        made.goto(server.address)
        wait_for_frames(made)
        if not START:
            START.update(state(made)["config"])
        try:
            yield made
        finally:
            context.close()
        assert not errors, errors

    return tab()


def state(page: Page) -> dict:
    return page.evaluate("import('/server.js').then(({ get }) => get('state'))")


def set_config(page: Page, config: dict) -> None:
    """Trains a config, as if another tab had asked for it, and waits until this tab shows it."""
    text = json.dumps(config)
    for button in ({"button": "speed", "speed": 100}, {"button": "play"}):
        page.evaluate(f"import('/server.js').then(({{ post }}) => post('press', {json.dumps(button)}))")
    run = page.evaluate(
        f"import('/server.js').then(({{ post }}) => post('config', {{ config: {text} }})).then(({{ run }}) => run)"
    )
    until(
        page,
        f"import('/server.js').then(({{ get }}) => get('state')).then(({{ run, ready }}) => ready && run >= {run})",
    )
    until(page, f"document.getElementById('title').textContent === {json.dumps(config['title'])}")
    page.evaluate("jaxnnFrames.length = 0")
    wait_for_frames(page, 2)


def change(page: Page, selector: str, value: str) -> dict:
    """Types into a control, and waits for the training of the config that comes of it."""
    run = state(page)["run"]
    page.fill(selector, value)
    page.locator(selector).dispatch_event("change")
    return changed(page, run)


def changed(page: Page, run: int) -> dict:
    until(
        page, f"import('/server.js').then(({{ get }}) => get('state')).then(({{ run, ready }}) => ready && run > {run})"
    )
    wait_for_frames(page, 2)
    return state(page)


def pixels(page: Page, canvas: str) -> bytes:
    data = page.evaluate(f"document.querySelector({json.dumps(canvas)}).toDataURL('image/png')")
    return hashlib.sha256(data.encode()).digest()


def test_the_page_trains_and_draws(page):
    first, boundary = page.inner_text("#progress"), pixels(page, "#plane")
    wait_for_frames(page, 20)
    assert page.inner_text("#progress") != first and pixels(page, "#plane") != boundary
    assert page.inner_text("#status") == "Training"
    assert page.locator("#columns .units canvas").count() == 2 + 10 + 2


def test_pause_stops_and_play_goes_on(page):
    page.click("#play")
    until(page, "document.getElementById('status').textContent === 'Paused'")
    wait_for_frames(page, 1)
    stood = page.inner_text("#progress")
    wait_for_frames(page, 1)
    assert page.inner_text("#progress") == stood
    page.click("#play")
    until(page, f"document.getElementById('progress').textContent !== {json.dumps(stood)}")


def test_step_is_one_step(page):
    page.click("#play")
    until(page, "document.getElementById('status').textContent === 'Paused'")
    page.click("#reset")
    until(page, "document.getElementById('progress').textContent.endsWith('step 0')")
    page.click("#step")
    until(page, "document.getElementById('progress').textContent.endsWith('step 1')")


def test_speed_is_that_of_the_control(page):
    page.select_option("#speed", "10")
    wait_for_frames(page, 3)
    first = page.evaluate("jaxnnFrames.at(-1)")
    wait_for_frames(page, 20)
    last = page.evaluate("jaxnnFrames.at(-1)")
    assert 1000 * (last[1] - first[1]) / (last[0] - first[0]) == pytest.approx(10, rel=0.3)


def test_a_layer_is_resized_added_moved_and_removed(page):
    assert change(page, "[data-key='net.0.units']", "5")["config"]["net"][0]["units"] == 5
    assert page.locator("#columns .units").nth(1).locator("canvas").count() == 5
    run = state(page)["run"]
    page.select_option("#add-layer", "dense")
    page.click("#add-layer-button")
    assert [layer["layer"] for layer in changed(page, run)["config"]["net"]] == [
        "dense", "sigmoid", "dense", "dense", "sigmoid",
    ]  # fmt: skip
    run = state(page)["run"]
    page.click("[data-key='net.2.up']")
    assert [layer["layer"] for layer in changed(page, run)["config"]["net"]][:3] == ["dense", "dense", "sigmoid"]
    run = state(page)["run"]
    page.click("[data-key='net.1.remove']")
    assert len(changed(page, run)["config"]["net"]) == 4


def test_a_layer_becomes_another(page):
    run = state(page)["run"]
    page.select_option("[data-key='net.1.layer']", "relu")
    assert changed(page, run)["config"]["net"][1] == {"layer": "relu"}
    assert "relu" in page.inner_text("#columns")


def test_a_layer_shows_its_formula_derivation_and_certificate(page):
    page.click("[data-key='net.0.page']")
    until(page, "document.getElementById('page').open")
    text = page.inner_text("#page-text")
    assert "dW = xᵀ dy" in text and "Derivation" in text and "Certificate" in text and "dW 0.1 % too large" in text
    page.keyboard.press("Escape")
    until(page, "!document.getElementById('page').open")


def test_optimizer_rate_batch_penalty_and_seeds_are_those_of_the_controls(page):
    assert change(page, "[data-key='optimizer.learning_rate']", "0.02")["config"]["optimizer"]["learning_rate"] == 0.02
    assert change(page, "[data-key='optimizer.l2']", "0.001")["config"]["optimizer"]["l2"] == 0.001
    assert change(page, "[data-key='train.batch_size']", "20")["config"]["train"]["batch_size"] == 20
    found = change(page, "[data-key='train.seeds']", "3")
    assert found["seeds"] == [0, 1, 2] and page.locator("#seed option").count() == 3
    run = found["run"]
    page.select_option("[data-key='optimizer.name']", "adam")
    assert changed(page, run)["config"]["optimizer"]["name"] == "adam"


def test_a_mistake_is_a_line_and_the_training_goes_on(page):
    run = state(page)["run"]
    page.fill("[data-key='net.0.units']", "-3")
    page.locator("[data-key='net.0.units']").dispatch_event("change")
    until(page, "!document.getElementById('errors').hidden")
    assert "at least 1" in page.inner_text("#errors")
    assert state(page)["run"] == run
    assert page.input_value("[data-key='net.0.units']") == "10"
    wait_for_frames(page, 3)


def test_the_seeds_are_a_band_and_each_has_its_picture(page):
    change(page, "[data-key='train.seeds']", "4")
    wait_for_frames(page, 15)
    assert page.locator("#charts polygon").first.get_attribute("points")
    assert "lowest" in page.inner_text("#numbers")
    page.click("#play")
    until(page, "document.getElementById('status').textContent === 'Paused'")
    wait_for_frames(page, 1)
    first = pixels(page, "#plane")
    page.select_option("#seed", "2")
    wait_for_frames(page, 2)
    assert pixels(page, "#plane") != first


def test_multi_class_data_have_as_many_colours(page):
    run = state(page)["run"]
    page.select_option("[data-key='data.name']", "blobs")
    changed(page, run)
    found = change(page, "[data-key='data.centers']", "5")
    assert found["classes"] == ["0", "1", "2", "3", "4"]
    assert page.locator("#legend li").count() >= 5
    wait_for_frames(page, 5)


def test_data_are_a_function_of_the_reader_s(page):
    """y > f(x)."""
    run = state(page)["run"]
    page.select_option("[data-key='data.name']", "curve")
    changed(page, run)
    found = change(page, "[data-key='data.formula']", "x^2 - 0.5")
    assert found["config"]["data"]["formula"] == "x^2 - 0.5"
    points = page.evaluate("import('/server.js').then(({ get }) => get('points?seed=0'))")["train"]
    assert all((up > across**2 - 0.5) == bool(label) for across, up, label in points)
    change_fails = "sin(y)"
    page.fill("[data-key='data.formula']", change_fails)
    page.locator("[data-key='data.formula']").dispatch_event("change")
    until(page, "document.getElementById('errors').textContent.includes('formula')")


def test_points_are_drawn_with_the_mouse(page):
    run = state(page)["run"]
    page.click("#own-data summary")
    page.click("#draw-points")
    page.locator("#points").scroll_into_view_if_needed()
    box = page.locator("#points").bounding_box()
    for label, places in (("0", ((0.2, 0.2), (0.3, 0.25))), ("1", ((0.8, 0.8), (0.7, 0.75)))):
        page.select_option("#draw-class", label)
        for across, up in places:
            page.mouse.click(box["x"] + across * box["width"], box["y"] + up * box["height"])
    data = changed(page, run)["config"]["data"]
    assert data["name"] == "points" and data["labels"] == ["0", "0", "1", "1"]
    assert data["across"][0] < data["across"][2] and data["up"][0] > data["up"][2]


def test_points_are_added_by_the_keyboard(page):
    run = state(page)["run"]
    page.click("#own-data summary")
    for label, x in (("0", "-0.5"), ("0", "-0.4"), ("1", "0.5"), ("1", "0.4")):
        page.select_option("#draw-class", label)
        page.fill("#point-x", x)
        page.fill("#point-y", "0.1")
        page.press("#add-point", "Enter")
    assert changed(page, run)["config"]["data"]["across"] == [-0.5, -0.4, 0.5, 0.4]


def test_a_table_is_dropped(page, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("a,b,kind\n" + "".join(f"{i},{i % 3},{'cat' if i % 2 else 'dog'}\n" for i in range(20)))
    run = state(page)["run"]
    page.click("#own-data summary")
    page.set_input_files("#table-file", file)
    found = changed(page, run)
    assert found["classes"] == ["cat", "dog"] and "class cat" in page.inner_text("#legend")
    file.write_text("1,2,3,4\n")
    page.set_input_files("#table-file", file)
    until(page, "document.getElementById('errors').textContent.includes('found 4 cells')")


def test_a_bigger_net_than_a_playground_s(page):
    config = {
        **START,
        "net": [{"layer": "dense", "units": 40}, {"layer": "relu"}] * 8
        + [{"layer": "dense", "units": 2}, {"layer": "sigmoid"}],
    }
    set_config(page, config)
    assert page.locator("#columns .column").count() == 1 + 9
    assert "and 8 more" in page.inner_text("#columns")


def test_the_microscope_agrees_and_a_planted_mistake_turns_the_law_red(page):
    page.click("#play")
    page.click("#look")
    until(page, "document.querySelector('#reading .verdict.good')", 60)
    rows = page.locator("#reading tr td").all_inner_texts()
    assert float(rows[0]) == pytest.approx(float(rows[1]), rel=1e-9) == pytest.approx(float(rows[2]), rel=1e-4)
    page.select_option("#mistake", "wrong sign")
    until(page, "document.querySelector('#reading .verdict.bad')", 60)
    assert "✗" in page.inner_text("#reading")
    page.select_option("#mistake", "")
    until(page, "document.querySelector('#reading .verdict.good')", 60)
    page.select_option("#leaf", "2/bias")
    until(page, "document.querySelector('#reading .verdict.good')", 60)


def test_a_digit_is_drawn_and_named_as_predict_names_it(page, server, tmp_path):
    run = state(page)["run"]
    page.select_option("[data-key='data.name']", "digits")
    changed(page, run)
    page.select_option("#speed", "")
    until(page, "document.getElementById('status').textContent.startsWith('Finished')", 120)
    page.locator("#pen").scroll_into_view_if_needed()
    box = page.locator("#pen").bounding_box()
    page.mouse.move(box["x"] + 130, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 240, steps=10)
    page.mouse.up()
    until(page, "document.querySelectorAll('#bars div').length === 10")
    name, share = re.findall(r"\d+", page.inner_text("#bars strong"))
    assert page.locator("#filters canvas").count() == 8
    page.fill("#save-name", "digit")
    page.click("#save")
    until(page, "document.getElementById('note').textContent.startsWith('Saved')", 120)
    saved = page.inner_text("#note").removeprefix("Saved as ").removesuffix(".")
    picture = page.evaluate("document.getElementById('pen').toDataURL('image/png')")
    (tmp_path / "digit.png").write_bytes(base64.b64decode(picture.split(",")[1]))
    # The folder of the server, where it has saved the run.
    folder = f"/proc/{server.process.pid}/cwd"
    jaxnn_process(["predict", saved, tmp_path / "digit.png", "--json", "found.json"], cwd=folder, check=True)
    with open(f"{folder}/found.json") as file:
        (row,) = json.load(file)["rows"]
    assert str(row["class"]) == name
    assert round(100 * max(row["probability"].values())) == pytest.approx(int(share), abs=1)


def test_the_same_run_by_the_command_and_by_the_file(page, tmp_path):
    """SHA-256 of the parameters: of the page, of its command, of its downloaded TOML."""
    change(page, "[data-key='train.epochs']", "200")
    change(page, "[data-key='net.0.units']", "4")
    page.select_option("#speed", "")
    until(page, "document.getElementById('sha').textContent.includes('best.safetensors: ')")
    shown = page.inner_text("#sha").rpartition(" ")[2]
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "page.toml")
    command = page.inner_text("#command").split()
    assert command[:3] == ["jaxnn", "train", "circles_mlp"]
    for folder, words in (("command", command[1:]), ("file", ["train", "page.toml"])):
        jaxnn_process([*words, "--out", folder], cwd=tmp_path, check=True)
        assert hashlib.sha256((tmp_path / folder / "best.safetensors").read_bytes()).hexdigest() == shown


def test_a_link_holds_the_whole_config(page, browser, server):
    found = change(page, "[data-key='net.0.units']", "7")
    page.click("#copy-link")
    until(page, "location.hash.startsWith('#config=')")
    link = page.url
    packed = link.partition("#config=")[2]
    toml = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), wbits=-15).decode()
    assert tomllib.loads(toml)["net"][0]["units"] == 7 and server.token not in link
    set_config(page, START)
    other = page.context.new_page()
    other.goto(link)
    until(other, "document.querySelector(\"[data-key='net.0.units']\")?.value === '7'")
    assert state(other)["toml"] == found["toml"]


def test_a_toml_file_is_opened(page, tmp_path):
    text = state(page)["toml"].replace("units = 10", "units = 3")
    (tmp_path / "mine.toml").write_text(text)
    run = state(page)["run"]
    page.set_input_files("#toml-file", tmp_path / "mine.toml")
    assert changed(page, run)["config"]["net"][0]["units"] == 3
    (tmp_path / "mine.toml").write_text('[data]\nname = "csv"\npath = "/etc/passwd"\n')
    page.set_input_files("#toml-file", tmp_path / "mine.toml")
    until(page, "!document.getElementById('errors').hidden")


@pytest.mark.parametrize("scene", range(5))
def test_a_scene_loads_says_what_to_see_and_offers_what_to_try(page, scene):
    run = state(page)["run"]
    page.locator("#scene-list button").nth(scene).click()
    found = changed(page, run)
    assert page.inner_text("#scene h3") == page.locator("#scene-list button").nth(scene).inner_text()[2:]
    assert page.locator("#scene-list button").nth(scene).get_attribute("aria-pressed") == "true"
    page.locator("#scene .row button").first.click()
    assert changed(page, found["run"])["config"] != found["config"]
    wait_for_frames(page, 5)


def test_two_tabs_show_the_same_net(page, browser, server):
    other = page.context.new_page()
    other.goto(server.address)
    wait_for_frames(other)
    change(other, "[data-key='net.0.units']", "6")
    page.bring_to_front()
    until(page, "document.querySelector(\"[data-key='net.0.units']\").value === '6'")
    assert page.inner_text("#note") == "Another tab changed the net; this one follows."


def test_a_reload_goes_on_without_the_token_in_the_address(page):
    assert "token" not in page.url
    page.reload()
    wait_for_frames(page, 3)
    assert page.inner_text("#errors") == ""


def test_a_tab_without_the_token_says_what_to_do(browser, server):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{server.port}/")
    until(tab, "!document.getElementById('errors').hidden")
    assert "Open the address" in tab.inner_text("#errors")
    context.close()


def test_a_server_that_ends_is_said(browser, tmp_path):
    with play_server(tmp_path, *WORDS) as server, opened(browser, server) as tab:
        server.process.kill()
        until(tab, "document.getElementById('status').textContent.includes('does not answer')")


def test_the_keyboard_alone_reaches_play_pause_and_a_reading_of_the_plane(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "play"
    page.keyboard.press("Enter")
    until(page, "document.getElementById('status').textContent === 'Paused'")
    page.focus("#points")
    page.keyboard.press("ArrowRight")
    assert re.fullmatch(r"x .+, y .+: class \d, \d+ % ahead of the next", page.inner_text("#plane-reading"))


def test_a_number_can_be_read_off_the_curves(page):
    wait_for_frames(page, 40)
    page.locator("#charts svg").first.hover()
    assert re.search(r"epoch \d+: train \d", page.inner_text("#charts figcaption .reading >> nth=0"))
    assert "train loss" in page.inner_text("#numbers")


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 400, "height": 800}},
        {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark", "forced_colors": "active"},
    ],
    ids=["light", "dark", "phone", "projector"],
)
def test_readers_of_every_kind(browser, server, options):
    """No violation that axe-core knows of; nothing is wider than the window."""
    with opened(browser, server, **options) as tab:
        set_config(tab, START)
        found = Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_little_motion_for_who_asks_for_it(browser, server):
    with opened(browser, server, reduced_motion="reduce") as tab:
        set_config(tab, START)
        first = frames(tab)
        tab.wait_for_timeout(2000)
        assert 2 <= frames(tab) - first <= 6


def test_nothing_is_asked_of_another_origin_and_the_page_is_light(browser, server):
    context = browser.new_context()
    tab = context.new_page()
    asked, sizes = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("response", lambda answer: "/api/" in answer.url or sizes.append(len(answer.body())))
    tab.goto(server.address)
    wait_for_frames(tab, 3)
    context.close()
    assert all(url.startswith(f"http://127.0.0.1:{server.port}/") for url in asked)
    assert sum(sizes) < 150_000
