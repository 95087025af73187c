"""Every system of the course has a row, and the claims in a config's head are what its run gives."""

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxnn.config import find, load
from jaxnn.config.experiment import experiment_of
from jaxnn.config.layers import LayerTable
from jaxnn.config.loaded_data import load_data
from jaxnn.course import (
    FULL,
    QUICK,
    SYSTEMS,
    Quantity,
    SeedMeasurement,
    System,
    SystemResult,
    reproduce,
    select_systems,
    session,
)
from jaxnn.course.budget import at_most, limit_config, limit_data
from jaxnn.course.claims import format_claims, head_comment, parse_claims
from jaxnn.course.optimizer_comparison import MAX_SHOWN_DISTANCE, optimizer_label, project_paths
from jaxnn.course.run_system import ensemble_metrics, limited_experiment
from jaxnn.course.session import STUDIES_OF_RUN, CourseSession
from jaxnn.course.systems import RECORDS, SEQUENCES
from jaxnn.errors import UserError
from jaxnn.experiment.run import run
from jaxnn.train.sharing import Sharing

IDS = [f"S{i:02}" for i in range(1, 24)]
#: Configs whose whole run takes a second or two, and configs of which only some of the measured seeds are run.
SHORT = ("beach_perceptron", "blobs_neuron", "parabola")
SAMPLED = ("circles_mlp", "circles_mlp_2017", "cosine_denoise", "digits_mlp")


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def system_of(config):
    return next(system for system in SYSTEMS if system.config == config)


def claims_of(config):
    return parse_claims(find(config).read_text(encoding="utf-8"))


def has_own_test_part(data):
    return data.name == "mnist" or "test_file" in data.model_dump()


def test_systems_cover_the_course():
    assert list(dict.fromkeys(system.id for system in SYSTEMS)) == IDS
    assert select_systems([]) == SYSTEMS
    ids = [f"T{i:02}" for i in range(1, 10)]
    assert list(dict.fromkeys(system.id for system in SEQUENCES)) == ids
    assert {system.id for system in select_systems(ids, (*SYSTEMS, *SEQUENCES))} == set(ids)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("best test loss", (1.0, 1.2), "1.2 reached"),
        ("best test loss", (1.2, 1.4), "1.2 missed by 0.1"),
        ("best test accuracy %", (1.2, 1.4), "1.2 reached"),
        ("best test perplexity", (1.2, 1.4), "1.2 missed by 0.1"),
    ],
)
def test_target_of_a_loss_is_reached_from_above(name, values, said):
    assert SeedMeasurement(name, values, target=1.2).summary == said
    assert {system.id for system in select_systems(IDS)} == set(IDS)


@pytest.mark.parametrize("system", [*SYSTEMS, *RECORDS, *SEQUENCES], ids=lambda s: f"{s.id} {s.config or s.study}")
def test_system_has_quantities_of_existing_parts(system):
    assert system.study or system.quantities
    if system.study:
        assert callable(getattr(CourseSession, system.study))
    if system.config:
        config = load(system.config)
        parts = {
            "train",
            *(p for p in ("validation", "test") if getattr(config.data, p) or has_own_test_part(config.data)),
        }
        assert {quantity.part for quantity in system.quantities} <= parts
        assert system.study != "optimizers" or len({optimizer_label(table) for table in config.compare}) == 10


@pytest.mark.parametrize("ids", [["S99"], ["S01", "s4"], ["mnist_cnn"], [""]])
def test_select_systems_lists_the_ids_when_one_is_unknown(ids):
    with pytest.raises(UserError) as raised:
        select_systems(ids)
    assert all(known in str(raised.value) for known in IDS)
    assert repr(ids[-1]) in str(raised.value)


def test_select_systems_ignores_case_and_keeps_the_order_of_the_course():
    assert [system.id for system in select_systems(["s22", "S03"])] == ["S03", "S22"]


@pytest.mark.parametrize(
    ("course", "position"),
    [
        ("82.0", "inside"),
        ("75", "inside"),
        ("75.2", "below all"),
        ("75.0", "below all"),
        ("91", "inside"),
        ("91.1", "above all"),
        ("", ""),
    ],
)
def test_position_is_inside_if_a_value_of_the_range_rounds_to_the_course_number(course, position):
    assert SeedMeasurement("best test accuracy %", (75.3, 82.0, 91.0), course).position == position


def test_standard_error_is_that_of_binomial_draws():
    measurement = SeedMeasurement("best test accuracy %", (97.0, 99.0), examples=10_000)
    draws = np.random.default_rng(0).binomial(10_000, 0.98, 20_000) / 100
    assert measurement.standard_error == pytest.approx(draws.std(), rel=0.02)
    assert measurement._replace(examples=None).standard_error is None
    assert measurement._replace(name="best test loss").standard_error is None


def test_summary_compares_the_mean_with_the_target():
    measurement = SeedMeasurement("best test accuracy %", (98.5, 98.75), target=98.6)
    assert measurement.summary == "98.6 reached"
    assert measurement._replace(target=99.0).summary == "99 missed by 0.38"


@pytest.mark.parametrize("config", dict.fromkeys(s.config for s in (*SYSTEMS, *RECORDS) if s.config))
def test_limit_config_changes_nothing_without_limits(config):
    full = load(config)
    assert limit_config(full, FULL) == full
    quick = limit_config(full, QUICK).train
    assert quick.epochs == at_most(full.train.epochs, QUICK.steps if full.train.batch_size is None else QUICK.epochs)


@pytest.mark.parametrize("config", ["adding_gru", "canvas_unet"])
def test_limited_generated_data_are_as_many_as_their_parts_need(config):
    limited, most = limit_config(load(config), QUICK), QUICK.train_examples
    assert most is not None and most == QUICK.test_examples
    parts = load_data(limited).splits[0]
    assert [part.num_examples for part in parts if part is not None][:2] == [
        most if config == "adding_gru" else 2 * most,
        most,
    ]


@pytest.mark.parametrize(("config", "option", "places"), [("adding_gru", "length", 32), ("sst2_gru", "length", 32)])
def test_limited_sequences_have_few_places(config, option, places):
    assert getattr(limit_config(load(config), QUICK).data, option) == places
    longest = getattr(load(config).data, option)
    assert getattr(limit_config(load(config), QUICK._replace(places=1000)).data, option) == (longest or 1000)


def test_limited_modular_net_has_few_sub_nets():
    first = limit_config(load("digits_modular"), QUICK).net[0].extra_options(LayerTable)["layers"]
    assert QUICK.blocks == 2 and first == load("digits_modular").net[0].extra_options(LayerTable)["layers"][:2]


@pytest.mark.parametrize("config", ["cora_gcn", "cora_gcn_random"])
def test_limited_graph_has_few_nodes_of_each_part(tmp_path, config):
    rng, n, file = np.random.default_rng(0), 400, tmp_path / "graph.npz"
    order = rng.permutation(n).reshape(4, 100)
    masks = dict(zip(("train", "validation", "test"), order[:3], strict=True))
    arrays = {"features": np.eye(n, 8, dtype=np.float32), "edges": rng.integers(n, size=(900, 2))}
    np.savez(file, labels=np.arange(n) % 4, **arrays, **masks)
    loaded = load(config, [f"data.file={file}"])
    if config == "cora_gcn_random":
        loaded = load(config, [f"data.file={file}", "data.validation_nodes=90", "data.test_nodes=110"])
    budget = QUICK._replace(train_examples=20, test_examples=10)
    limited: Any
    _, limited = limit_data(loaded, data := load_data(loaded, seeds=(0, 1)), budget)
    weights = [[part.y.weight.sum() for part in parts] for parts in limited.splits]
    shapes = {part.y.weight.shape for parts in limited.splits for part in parts}
    if config == "cora_gcn":
        assert weights == [[20, 10, 10]] and shapes == {(1, 40)}
    else:  # the nodes of both seeds, whose parts overlap
        assert np.less_equal([20, 10, 10], weights).all() and len(shapes) == 1 and max(shapes) <= (1, 80)
    assert all(part.x is limited.splits[0].train.x for parts in limited.splits for part in parts)
    assert len(np.unique(limited.splits[0].train.y.target)) == 4
    experiment_of(loaded, limited, seeds=(0, 1)).check()
    assert limit_data(loaded, data, FULL)[1] is data


def test_limited_transformer_has_few_blocks():
    config = load("shakespeare_gpt_cpu")
    blocks = [table.extra_options(LayerTable).get("layers") for table in limit_config(config, QUICK).net]
    assert blocks.count(2) == 1 and limit_config(config, QUICK._replace(blocks=None)).net == config.net


@pytest.mark.parametrize(
    ("strategy", "devices", "second_order", "said"),
    [
        ("fast", 1, False, "found 'fast'"),
        ("one_device", 2, False, "devices share"),
        ("sequential", 1, True, "second-order"),
    ],
)
def test_experiment_refuses_a_strategy_that_cannot_be(strategy: Any, devices, second_order, said):
    experiment = limited_experiment(load("digits_mlp"), 2, QUICK, None)
    update = experiment.bound()._replace(one_device=second_order)
    with pytest.raises(UserError, match=said):
        experiment._replace(update=update, hyperparameters={}, strategy=strategy, sharing=Sharing(devices)).check()


def test_seeds_on_one_device_learn_what_those_on_several_do():
    experiment = limited_experiment(load("digits_mlp"), 2, QUICK, None)
    losses = [
        run(experiment._replace(strategy=strategy)).outcome.history.train["loss"]
        for strategy in ("one_device", "sequential", "vectorized")
    ]
    for loss in losses[1:]:
        np.testing.assert_allclose(loss, losses[0], rtol=1e-5)


def test_limit_data_spreads_examples_and_cuts_a_text(tmp_path):
    config = load("digits_rows_lstm", ["train.batch_size=16"])
    data = load_data(config)
    limited: Any
    same, limited = limit_data(config, data, QUICK)
    assert same == config
    most = QUICK.train_examples
    assert most is not None and [len(part.y) for part in limited.splits[0]] == [most] * 3
    whole = data.splits[0].train
    assert np.array_equal(limited.splits[0].train.x, whole.x[np.arange(most) * len(whole.x) // most])
    large = load("digits_rows_lstm", ["train.batch_size=200"])
    assert limit_data(large, data, QUICK)[0].train.batch_size == most // 2
    assert limit_data(config, data, FULL) == (config, data)

    (tmp_path / "text.txt").write_text("".join(chr(97 + i % 7) for i in range(9000)), "utf-8")
    config = load("shakespeare_gpt_cpu", [f"data.file={tmp_path / 'text.txt'}"])
    config = limit_config(config, QUICK)
    config, limited = limit_data(config, load_data(config), QUICK)
    train, validation, _ = limited.splits[0]
    assert (config.train.batch_size, config.train.steps) == (2, 2)
    assert train.num_examples == 5 * 32
    assert validation.x.shape == (5, 32)
    assert experiment_of(config, limited, seeds=(0,)).source.steps == 2


def test_system_for_a_gpu_is_not_run_on_a_cpu(monkeypatch):
    system = next(system for system in SEQUENCES if system.config == "shakespeare_gpt")
    course = CourseSession(FULL, None, None)
    assert not course.can_run(system)
    assert course.can_run(SYSTEMS[0])
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert course.can_run(system)


def test_ensemble_loss_is_at_most_the_mean_loss_of_its_members():
    quantities = tuple(
        Quantity(when, "test", metric) for when in ("best", "ensemble") for metric in ("accuracy", "loss")
    )
    run = reproduce(System("R9", "", "", "digits_mlp", 3, quantities), budget=QUICK, seeds=3)
    assert run.experiment is not None and run.result is not None
    by_name = {measurement.name: measurement for measurement in run.measurements}
    assert len(by_name["ensemble test loss"].values) == 1
    # −log of a mean is at most the mean of −log (Jensen).
    assert by_name["ensemble test loss"].values[0] < np.mean(by_name["best test loss"].values)
    assert by_name["ensemble test accuracy %"].examples == QUICK.test_examples
    # An ensemble of one member is that member.
    params = jax.tree.map(lambda a: a[:1], run.result.outcome.state.best.params)
    single = ensemble_metrics(run.experiment._replace(seeds=(0,)), params)["test"]
    assert 100 * single["accuracy"][0] == pytest.approx(by_name["best test accuracy %"].values[0])
    assert single["loss"][0] == pytest.approx(by_name["best test loss"].values[0], rel=1e-5)


def test_course_session_keeps_a_run_until_its_last_study(monkeypatch):
    runs = []

    def fake_reproduce(system, **_):
        runs.append(system.config)
        return SystemResult(system, (), 1, 0.0)

    monkeypatch.setattr(session, "reproduce", fake_reproduce)
    course_session = CourseSession(QUICK, seeds=None, data_dir=None)
    for system in select_systems(["S10", "S11"]):
        course_session.run(system)
    assert set(course_session.runs) == {"mnist_cnn"}
    for study in STUDIES_OF_RUN["mnist_cnn"]:
        assert course_session.run_for_study("mnist_cnn", study).system.id == "S11"
    assert not course_session.runs and runs == ["mnist_tanh_softmax", "mnist_cnn"]
    # A config that no system ran is run for the study.
    course_session.run_for_study("mnist1000_sigmoid_mse", "gap")
    assert runs[2:] == ["mnist1000_sigmoid_mse"] and not course_session.runs


def test_studies_of_run_are_studies_of_systems():
    studies = {system.study for system in SYSTEMS if system.study}
    assert {study for names in STUDIES_OF_RUN.values() for study in names} <= studies


@pytest.mark.parametrize("far", [1.0, 40.0, 1e9])
def test_plane_holds_the_paths_and_gives_far_ones_a_logarithmic_axis(far):
    line = np.linspace(0, 1, 21)[:, None]
    trajectories = {"a": line * [1, 0, 0], "b": line * [0.5, -1, 0.1], "c": line * [0, far, 0]}
    trajectories["d"] = np.where(line > 0, np.nan, np.zeros(3))
    plane = project_paths(trajectories)
    assert np.allclose(plane.directions @ plane.directions.T, np.eye(2))
    assert (plane.linear_width is None) == (far != 40.0)  # what is too far is not in the picture at all
    reach = 1.0 if plane.linear_width is None else plane.linear_width
    points = np.concatenate(list(plane.paths.values()))
    points = points[np.linalg.norm(points, axis=1) <= MAX_SHOWN_DISTANCE * reach]
    assert len(points) >= 42  # a and b, and all or the beginning of c
    for axis, coordinates in ((plane.x, points[:, 0]), (plane.y, points[:, 1])):
        assert axis[0] < coordinates.min() and coordinates.max() < axis[-1] and (np.diff(axis) > 0).all()
    assert plane.x[-1] < 3e3 and np.allclose(plane.paths["a"], trajectories["a"] @ plane.directions.T)


def test_parse_claims_reads_what_format_claims_writes():
    measurements = [
        SeedMeasurement("best test accuracy %", (75.25, 82.0, 91.5)),
        SeedMeasurement("end validation loss", (1.25e-5, 3.5e-5)),
        SeedMeasurement("sgd, batch 40 loss", (0.25, 0.5)),
        SeedMeasurement("first train loss", (0.125,)),
        SeedMeasurement("ensemble test accuracy %", (99.5,)),
    ]
    lines = format_claims(measurements)
    text = "# Ours:\n" + "".join(f"#     {line}\n" for line in lines) + "\ntitle = 'best test loss 7'\n"
    claims = parse_claims(text)
    assert [claim.name for claim in claims] == [m.name.removesuffix(" %") for m in measurements]
    for claim, measurement in zip(claims, measurements, strict=True):
        s = measurement.statistics
        assert claim.mean == pytest.approx(s["mean"], rel=1e-3)
        assert (claim.low is None) == (s["sd"] is None)
        if claim.low is not None:
            assert (claim.low, claim.high) == (pytest.approx(s["min"]), pytest.approx(s["max"]))


@pytest.mark.parametrize("config", dict.fromkeys(s.config for s in (*SYSTEMS, *RECORDS) if s.config))
def test_claim_is_consistent(config):
    for claim in claims_of(config):
        if claim.low is not None:
            assert claim.sd is not None and claim.high is not None
            assert claim.low <= claim.mean <= claim.high
            # The three numbers are rounded separately.
            assert claim.sd <= 1.05 * (claim.high - claim.low) + 0.01
        assert claim.mean >= 0 and ("accuracy" not in claim.name or (claim.high or claim.mean) <= 100)


@pytest.mark.parametrize("config", SHORT)
def test_claims_of_a_short_config_are_reproduced(config):
    system = system_of(config)
    run, claims = reproduce(system), {claim.name: claim for claim in claims_of(config)}
    assert run.seeds == system.seeds
    assert set(claims) == {measurement.name.removesuffix(" %") for measurement in run.measurements}
    for measurement in run.measurements:
        claim, s = claims[measurement.name.removesuffix(" %")], measurement.statistics
        # The order of additions can change the class of a point near the boundary.
        slack = 1e-3 * claim.mean + 0.05 * (claim.sd or 0)
        assert s["mean"] == pytest.approx(claim.mean, abs=slack)
        if claim.low is not None:
            assert (s["min"], s["max"]) == (
                pytest.approx(claim.low, abs=5 * slack),
                pytest.approx(claim.high, abs=5 * slack),
            )


@pytest.mark.parametrize("config", SAMPLED)
def test_seeds_of_a_longer_config_lie_in_the_claimed_range(config):
    run, claims = reproduce(system_of(config), seeds=2), {claim.name: claim for claim in claims_of(config)}
    for measurement in run.measurements:
        claim = claims[measurement.name.removesuffix(" %")]
        assert claim.low is not None and claim.high is not None and claim.sd is not None
        low, high = claim.low - 0.1 * claim.sd, claim.high + 0.1 * claim.sd
        assert all(low <= value <= high for value in measurement.values), measurement


def test_reproduce_starts_each_seed_from_its_own_parameters():
    budget = QUICK._replace(train_examples=500)  # of fewer, two seeds get equally many right by chance
    three = reproduce(system_of("circles_mlp"), seeds=3, budget=budget)
    two = reproduce(system_of("circles_mlp"), seeds=2, budget=budget)
    start = three.measurements[0].values
    assert start[:2] == two.measurements[0].values and len(set(start)) == 3
    # The notes of a full run do not explain the numbers of a quick one.
    assert {measurement.note for measurement in three.measurements} == {"a quick run"}
    best = three.measurements[1].values
    assert all(b >= s for b, s in zip(best, start, strict=True)) and np.isfinite(best).all()


def test_head_comment_is_the_first_comment_block():
    assert head_comment("# a\n# b\n\n# c\ntitle = 1\n") == "a b"


def test_course_page_names_every_system_config_and_notebook():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "course.md").read_text(encoding="utf-8")
    named = {f"S{i:02}" for a, b in re.findall(r"S(\d\d)(?:–S(\d\d))?", page) for i in range(int(a), int(b or a) + 1)}
    assert named == set(IDS)
    assert all(f"`{system.config}`" in page for system in SYSTEMS if system.config)
    links = {link.partition("#")[0] for link in re.findall(r"\]\((.+?)\)", page)}
    assert {f"../notebooks/{path.name}" for path in (root / "notebooks").glob("*.ipynb")} < links
    assert all((root / "docs" / link).is_file() for link in links)
