"""The page's training is that of `jaxnn train`, bit for bit; its links, commands and limits."""

import json
import shlex
import struct
import time

import jax
import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.config.load import load_text
from jaxnn.errors import UserError
from jaxnn.experiment.seeds import seed_range
from jaxnn.play.choices import choices, layer_page, scenes
from jaxnn.play.controls import Controls
from jaxnn.play.page_config import EMBEDDED, training_command
from jaxnn.play.points_table import points_of_table
from jaxnn.play.session import Opened, Session
from jaxnn.runs.weights import weights_sha256

CIRCLES = {"name": "circles", "n": 20_000, "validation": 0.2}
FULL_BATCH = {"epochs": 5, "best": "validation.loss"}
ONE = [{"layer": "dense", "units": 2}]
NUMBERS = {"loss": {"name": "quadratic"}, "train": {"epochs": 5, "best": "validation.loss"}}
MAGNIFIED = [
    {"layer": "upsample", "factor": 100}, {"layer": "average_pool", "window": 100}, {"layer": "flatten"},
    {"layer": "dense", "units": 10},
]  # fmt: skip
WIDE = [{"layer": "dense", "units": 20_000}, {"layer": "dense", "units": 2}]
SMALL = """
title = "small"
[data]
name = "moons"
n = 60
validation = 0.25
[[net]]
layer = "dense"
units = 4
[[net]]
layer = "tanh"
[[net]]
layer = "dropout"
rate = 0.1
[[net]]
layer = "dense"
units = 2
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.05
[train]
epochs = 30
batch_size = 16
seeds = 2
best = "validation.loss"
"""


@pytest.fixture(autouse=True)
def as_the_command_line():
    """The page computes as `jaxnn train` does, in float32 with JAX's own rules of promotion, in all its threads."""
    own = {"jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow"}
    old = {name: getattr(jax.config, name) for name in own}
    for name, value in own.items():
        jax.config.update(name, value)
    with jax.enable_x64(False):
        yield
    for name, value in old.items():
        jax.config.update(name, value)


@pytest.fixture
def session():
    config = load_text(SMALL)
    made = Session(Opened(config, config, "small.toml"))
    yield made
    made.close()


def facts_of(frame: bytes) -> dict:
    (length,) = struct.unpack("<I", frame[:4])
    return json.loads(frame[4 : 4 + length])


def wait_for(session: Session, status: str, seconds: float = 60) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        facts = facts_of(session.training.frame(0, 0))
        if facts["status"] == status:
            return facts
        assert facts["status"] != "failed" or status == "failed", facts["message"]
        time.sleep(0.01)
    raise AssertionError(f"the training did not come to {status}")


def trained_sha256(text: str) -> str:
    """The SHA-256 of the weights that `jaxnn.fit` gives for a config."""
    import jaxnn
    from jaxnn.config.experiment import make_experiment

    config = load_text(text)
    experiment = make_experiment(config, seeds=seed_range(config.train.seed, config.train.seeds))
    return weights_sha256(jaxnn.fit(experiment).params, experiment.source.stats)


def test_the_page_trains_the_same_bits_however_its_buttons_are_pressed(session):
    session.press("pause")
    for _ in range(3):
        session.press("step")
    session.press("speed", 400.0)
    session.press("play")
    session.training.frame(0, 0)
    session.press("speed", None)
    facts = wait_for(session, "finished")
    assert facts["sha256"] == trained_sha256(session.state()["toml"])
    assert facts["best_epoch"] and set(facts["scores"]) == {"train", "validation"}


def test_a_changed_net_trains_the_bits_of_its_toml_too(session):
    tables = session.state()["config"]
    tables["net"][0]["units"] = 6
    tables["optimizer"] = {"name": "momentum", "learning_rate": 0.1}
    session.change_tables(tables)
    facts = wait_for(session, "finished")
    assert facts["run"] == 2
    assert facts["sha256"] == trained_sha256(session.state()["toml"])


def test_a_paused_training_stands_still_and_a_step_is_one_step(session):
    session.press("pause")
    session.press("reset")
    time.sleep(0.2)
    first = wait_for(session, "training")
    assert first["steps"] == 0 and not first["playing"]
    session.press("step")
    end = time.monotonic() + 30
    while facts_of(session.training.frame(0, 0))["steps"] != 1 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    assert facts_of(session.training.frame(0, 0))["steps"] == 1


def test_speed_limits_the_epochs_of_a_second():
    controls = Controls(playing=True, speed=60.0)
    started = time.monotonic()
    steps = sum(controls.most_steps(0) for _ in range(30))
    seconds = time.monotonic() - started
    assert steps / 60 == pytest.approx(seconds, abs=0.2)


def test_a_finished_run_is_saved_as_a_run_of_jaxnn_train(session, tmp_path, monkeypatch):
    import jaxnn

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="to its end"):
        session.save("early")
    facts = wait_for(session, "finished")
    session.save("mine")
    run = jaxnn.load_run("runs/mine")
    assert weights_sha256(run.params, run.experiment.source.stats) == facts["sha256"]
    assert (tmp_path / "runs/mine/report.html").is_file()
    with pytest.raises(UserError):
        session.save("mine")
    for name in ("", "../mine", "a/b", "ü", "x" * 61, "~"):
        with pytest.raises(UserError, match="name of letters"):
            session.save(name)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_finished_run_opens_as_it_was_trained(tmp_path, monkeypatch):
    import jaxnn
    from jaxnn.config.experiment import make_experiment

    monkeypatch.chdir(tmp_path)
    config = load_text(SMALL)
    run = jaxnn.fit(make_experiment(config, seeds=(0, 1)), "runs/mine")
    opened = Session(Opened(config, config, "runs/mine/config.toml", jaxnn.load_run("runs/mine")))
    try:
        facts = wait_for(opened, "finished")
        assert facts["sha256"] == weights_sha256(run.params, run.experiment.source.stats)
        assert facts["last"]["validation_loss"] == pytest.approx(run.history["validation_loss"][:, -1])
        opened.press("play")
        assert wait_for(opened, "finished")["sha256"] == facts["sha256"]
    finally:
        opened.close()


def test_the_frame_has_the_boundary_that_predict_gives(session):
    wait_for(session, "finished")
    frame = session.training.frame(0, 1)
    facts = facts_of(frame)
    (length,) = struct.unpack("<I", frame[:4])
    arrays = {
        entry["name"]: np.frombuffer(
            frame, entry["dtype"], int(np.prod(entry["shape"])), 4 + length + entry["offset"]
        ).reshape(entry["shape"])
        for entry in facts["arrays"]
    }
    state = session.state()
    assert arrays["winner"].shape == (200, 200) and arrays["column 0"].shape == (4, 50, 50)
    assert arrays["weights 0"].shape == (2, 4)
    from jaxnn.experiment.scores import predict

    experiment, params = session.training.experiment, session.training.trainer.ended.params
    (left, bottom), (right, top) = state["low"], state["high"]
    x = np.array([[left, bottom], [right, bottom], [left, top], [right, top]], np.float32)
    output = predict(experiment, jax.tree.map(lambda a: a[1], params), x, 1)
    corners = arrays["winner"][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == output.argmax(axis=1)).all()
    ahead = np.abs(output[:, 1] - output[:, 0])
    assert arrays["confidence"][[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(255 * ahead, abs=0.6)


def test_the_microscope_holds_and_a_planted_mistake_breaks_the_law(session):
    wait_for(session, "finished")
    reading = session.training.gradient("0/weight", 3, 0, "", 0)
    assert reading["holds"] and reading["ulp"] < 100 and reading["worst"] < 1e-12
    assert reading["hand"] == pytest.approx(reading["difference"], rel=1e-5)
    for mistake in session.state()["mistakes"]:
        for layer in (0, 3):
            broken = session.training.gradient("0/weight", 3, 0, mistake, layer)
            assert not broken["holds"], (mistake, layer)
    with pytest.raises(UserError, match="expected a parameter"):
        session.training.gradient("0/weight", 99, 0, "", 0)
    with pytest.raises(UserError, match="expected a mistake"):
        session.training.gradient("0/weight", 0, 0, "another", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"name": "csv", "path": "/etc/passwd", "validation": 0.2}}, "needs no file"),
        ({"data": {"name": "images", "path": "/etc", "validation": 0.2}}, "needs no file"),
        ({"data": {"name": "text", "file": "/etc/passwd", "validation": 0.2}}, "needs no file"),
        ({"data": {"name": "tfds:mnist", "validation": 0.2}}, "needs no file"),
        ({"data": {"name": "circles", "n": 1_000_000, "validation": 0.2}}, "at most 20,000"),
        ({"train": {"epochs": 10, "seeds": 17}}, "at most 16"),
        ({"train": {"epochs": 2_000_000}}, "at most 1,000,000"),
        ({"data": CIRCLES, "net": [{"layer": "dense", "units": 2_000_000}]}, "parameters"),
        ({"data": CIRCLES, "net": WIDE, "train": FULL_BATCH}, "numbers in"),
        ({"data": {"name": "moons", "n": 1_000_000, "validation": 0.2}}, "at most 20,000"),
        ({"net": [{"layer": "dense", "units": 2_000_000}]}, "parameters"),
        ({"data": {"name": "moons", "n": 20_000, "validation": 0.2}, "net": WIDE, "train": FULL_BATCH}, "numbers in"),
        (
            {"data": {"name": "adding", "n": 20_000, "length": 1000, "validation": 0.2}, "net": ONE, **NUMBERS},
            "4,000,000",
        ),
        ({"net": [{"layer": "tanh"}] * 200 + ONE}, "at most 100 layers"),
        ({"net": [{"layer": "residual", "layers": [{"layer": "tanh"}] * 200}, *ONE]}, "at most 100 layers"),
        ({"data": {"name": "digits", "validation": 180}, "net": MAGNIFIED}, "numbers in"),
        ({"net": [{"layer": "dens"}]}, "did you mean dense"),
        ({"data": {"name": "curve", "formula": "__import__('os').system('id')", "validation": 0.2}}, "formula"),
    ],
)
def test_a_page_asks_for_no_file_and_no_more_memory_than_it_may(session, change, message):
    tables = session.state()["config"]
    number = session.training.number
    with pytest.raises(UserError, match=message):
        session.change_tables({**tables, **change})
    assert session.training.number == number


def test_a_diverged_training_says_so(session):
    tables = session.state()["config"]
    tables["net"][1] = {"layer": "relu"}
    tables["optimizer"] = {"name": "gradient_descent", "learning_rate": 1e30}
    session.change_tables(tables)
    assert "step" in wait_for(session, "failed")["message"]


def test_the_command_trains_the_same_config_from_the_shipped_one():
    base = load("circles_mlp")
    changed = load(
        "circles_mlp", ["net.0.units=7", "optimizer.learning_rate=0.01", "train.seeds=3", "train.epochs=400"]
    )
    words = shlex.split(training_command(changed, base, "circles_mlp"))
    assert words[:3] == ["jaxnn", "train", "circles_mlp"] and len(words) == 7
    assert load("circles_mlp", [word.removeprefix("--") for word in words[3:]]) == changed
    other = load_text(SMALL)
    assert training_command(other, base, "circles_mlp") == "jaxnn train page.toml"
    assert training_command(base, base, "circles_mlp") == "jaxnn train circles_mlp"


def test_scenes_and_choices_are_configs_of_the_schema():
    offered = choices()
    assert set(offered["data"]) - {"points"} <= set(EMBEDDED)
    assert {"dense", "conv"} <= set(offered["layer"]) and {"units", "kernel"} <= {
        option["name"] for options in offered["layer"].values() for option in options
    }
    for scene in scenes():
        assert load_text(scene["toml"], scene["name"]).title


def test_every_offered_layer_has_a_page_and_no_other_file_is_one():
    for name in choices()["layer"]:
        assert "## Certificate" in layer_page(name)
    for name in ("../README", "", "README", "a/b", "nothing"):
        with pytest.raises(UserError, match="name of a layer"):
            layer_page(name)


def test_a_dropped_table_becomes_points_of_the_config():
    table = points_of_table("x;y;kind\n0,5;1;a\n1;2;b\n3;4;a\n5;6;b\n")
    assert table == {
        "name": "points", "across": [0.5, 1, 3, 5], "up": [1, 2, 4, 6], "labels": ["a", "b", "a", "b"],
    }  # fmt: skip
    assert points_of_table("1,2,a\n3,4,b")["labels"] == ["a", "b"]
    for text, message in (
        ("a,b,c\n1,2,x\n1,z,y\n", "line 3: expected two numbers"),
        ("1,2\n", "line 1: expected two numbers and a class, found 2 cells"),
        ("1,2,3,4\n", "found 4 cells"),
        ("1,2,a\n" * 5000, "at most 4,000 rows"),
    ):
        with pytest.raises(UserError, match=message):
            points_of_table(text)
