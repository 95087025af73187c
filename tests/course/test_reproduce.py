"""Every system of the course has a row; what a config claims is what its run gives."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxnn.config import find, load
from jaxnn.course import SYSTEMS, Measured, Outcome, choose, reproduce, session
from jaxnn.course.claims import claims, head, written
from jaxnn.course.optimizer_comparison import _near, rival_name
from jaxnn.course.run_system import ensemble
from jaxnn.course.session import STUDIED, Show
from jaxnn.course.systems import RECORDS, Number, System
from jaxnn.errors import UserError

IDS = [f"S{i:02}" for i in range(1, 24)]
RUNS = [system for system in (*SYSTEMS, *RECORDS) if not system.study]
#: Whole in a second or two; of the others a few of the seeds that were measured.
SHORT = ("beach_perceptron", "blobs_neuron", "parabola")
SAMPLED = ("circles_mlp", "circles_mlp_2017", "cosine_denoise", "digits_mlp")


@pytest.fixture(autouse=True)
def as_at_the_door():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def of(config):
    return next(system for system in SYSTEMS if system.config == config)


def claimed(config):
    return claims(find(config).read_text(encoding="utf-8"))


def test_every_system_of_the_course_has_a_row():
    assert list(dict.fromkeys(system.id for system in SYSTEMS)) == IDS
    assert choose([]) == SYSTEMS
    assert {system.id for system in choose(IDS)} == set(IDS)


@pytest.mark.parametrize("system", [*SYSTEMS, *RECORDS], ids=lambda s: f"{s.id} {s.config or s.study}")
def test_a_row_has_numbers_to_fill_it(system):
    assert system.study or system.numbers
    if system.study:
        assert callable(getattr(Show, system.study))
    if system.config:
        config = load(system.config)
        parts = {
            "train",
            *(p for p in ("validation", "test") if getattr(config.data, p) or config.data.name == "mnist"),
        }
        assert {number.part for number in system.numbers} <= parts
        assert system.study != "optimizers" or len({rival_name(r) for r in config.compare}) == 10


@pytest.mark.parametrize("ids", [["S99"], ["S01", "s4"], ["mnist_cnn"], [""]])
def test_an_id_that_is_none_gets_the_list_of_good_ones(ids):
    with pytest.raises(UserError) as raised:
        choose(ids)
    assert all(good in str(raised.value) for good in IDS)
    assert repr(ids[-1]) in str(raised.value)


def test_ids_come_in_the_order_of_the_course_whatever_their_case():
    assert [system.id for system in choose(["s22", "S03"])] == ["S03", "S22"]


@pytest.mark.parametrize(
    ("course", "place"),
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
def test_a_number_lies_inside_unless_it_rounds_to_none_of_the_range(course, place):
    assert Measured("best test accuracy %", (75.3, 82.0, 91.0), course).place == place


def test_the_error_of_chance_is_the_binomial_one():
    number = Measured("best test accuracy %", (97.0, 99.0), examples=10_000)
    draws = np.random.default_rng(0).binomial(10_000, 0.98, 20_000) / 100
    assert number.chance == pytest.approx(draws.std(), rel=0.02)
    assert number._replace(examples=None).chance is None and number._replace(name="best test loss").chance is None


def test_a_target_is_reached_by_the_mean():
    number = Measured("best test accuracy %", (98.5, 98.75), target=98.6)
    assert number.verdict == "98.6 reached"
    assert number._replace(target=99.0).verdict == "99 missed by 0.38"


def test_an_ensemble_is_no_worse_than_its_members_in_the_mean_of_their_losses():
    both = tuple(Number(when, "test", metric) for when in ("best", "ensemble") for metric in ("accuracy", "loss"))
    outcome = reproduce(System("R9", "", "", "digits_mlp", 3, both), quick=True, seeds=3)
    assert outcome.experiment is not None and outcome.result is not None
    found = {number.name: number for number in outcome.numbers}
    assert len(found["ensemble test loss"].values) == 1
    # −log of a mean is at most the mean of −log (Jensen).
    assert found["ensemble test loss"].values[0] < np.mean(found["best test loss"].values)
    assert found["ensemble test accuracy %"].examples == 360
    # Of one member, it is that member.
    one = jax.tree.map(lambda a: a[:1], outcome.result.outcome.state.best.params)
    alone = ensemble(outcome.experiment._replace(seeds=(0,)), one)["test"]
    assert 100 * alone.accuracy == pytest.approx(found["best test accuracy %"].values[0])
    assert alone.loss == pytest.approx(found["best test loss"].values[0], rel=1e-5)


def test_a_run_is_made_once_and_kept_while_a_study_is_to_look_at_it(monkeypatch):
    made = []

    def fake(system, **_):
        made.append(system.config)
        return Outcome(system, (), 1, 0.0)

    monkeypatch.setattr(session, "reproduce", fake)
    shown = Show(quick=True, seeds=None, data_dir=None)
    for system in choose(["S10", "S11"]):
        shown(system)
    assert set(shown.runs) == {"mnist_cnn"}
    for study in STUDIED["mnist_cnn"]:
        assert shown.run_of("mnist_cnn", study).system.id == "S11"
    assert not shown.runs and made == ["mnist_tanh_softmax", "mnist_cnn"]
    # What no system ran is run for the study.
    shown.run_of("mnist1000_sigmoid_mse", "gap")
    assert made[2:] == ["mnist1000_sigmoid_mse"] and not shown.runs


def test_a_study_looks_at_the_runs_that_are_kept_for_it():
    studies = {system.study for system in SYSTEMS if system.study}
    assert {study for looking in STUDIED.values() for study in looking} <= studies


def test_a_path_that_runs_away_does_not_make_the_plane():
    start = np.zeros(3)
    ways = [np.outer(np.linspace(0, 1, 5), direction) for direction in (np.ones(3), -np.ones(3), [0, 1e6, 0])]
    ways.append(np.full((5, 3), np.nan))
    ways[-1][0] = 0
    points = np.concatenate(ways)
    near = _near(points, ways, start)
    assert near[:10].all() and not near[11:15].any() and near[15] and not near[16:].any()


def test_claims_are_read_as_they_are_written():
    numbers = [
        Measured("best test accuracy %", (75.25, 82.0, 91.5)),
        Measured("end validation loss", (1.25e-5, 3.5e-5)),
        Measured("sgd, batch 40 loss", (0.25, 0.5)),
        Measured("first train loss", (0.125,)),
        Measured("ensemble test accuracy %", (99.5,)),
    ]
    text = "# Ours:\n" + "".join(f"#     {line}\n" for line in written(numbers)) + "\ntitle = 'best test loss 7'\n"
    found = claims(text)
    assert [c.name for c in found] == [n.name.removesuffix(" %") for n in numbers]
    for claim, number in zip(found, numbers, strict=True):
        s = number.spread
        assert claim.mean == pytest.approx(s["mean"], rel=1e-3)
        assert (claim.low is None) == (s["sd"] is None)
        if claim.low is not None:
            assert (claim.low, claim.high) == (pytest.approx(s["min"]), pytest.approx(s["max"]))


@pytest.mark.parametrize("config", dict.fromkeys(s.config for s in (*SYSTEMS, *RECORDS) if s.config))
def test_a_claim_is_possible(config):
    for claim in claimed(config):
        if claim.low is not None:
            assert claim.sd is not None and claim.high is not None
            assert claim.low <= claim.mean <= claim.high
            # Each is rounded by itself.
            assert claim.sd <= 1.05 * (claim.high - claim.low) + 0.01
        assert claim.mean >= 0 and ("accuracy" not in claim.name or (claim.high or claim.mean) <= 100)


@pytest.mark.parametrize("config", SHORT)
def test_a_short_config_gives_what_it_claims(config):
    system = of(config)
    outcome, said = reproduce(system), {claim.name: claim for claim in claimed(config)}
    assert outcome.seeds == system.seeds
    assert set(said) == {number.name.removesuffix(" %") for number in outcome.numbers}
    for number in outcome.numbers:
        claim, s = said[number.name.removesuffix(" %")], number.spread
        # A point near the line may change its class with the order of an addition.
        slack = 1e-3 * claim.mean + 0.05 * (claim.sd or 0)
        assert s["mean"] == pytest.approx(claim.mean, abs=slack)
        if claim.low is not None:
            assert (s["min"], s["max"]) == (
                pytest.approx(claim.low, abs=5 * slack),
                pytest.approx(claim.high, abs=5 * slack),
            )


@pytest.mark.parametrize("config", SAMPLED)
def test_seeds_of_a_longer_config_lie_where_it_claims(config):
    outcome, said = reproduce(of(config), seeds=2), {claim.name: claim for claim in claimed(config)}
    for number in outcome.numbers:
        claim = said[number.name.removesuffix(" %")]
        assert claim.low is not None and claim.high is not None and claim.sd is not None
        assert all(claim.low - 0.1 * claim.sd <= v <= claim.high + 0.1 * claim.sd for v in number.values), number


def test_a_run_starts_where_its_seed_says_and_seeds_differ():
    outcome = reproduce(of("circles_mlp"), seeds=3, quick=True)
    again = reproduce(of("circles_mlp"), seeds=2, quick=True)
    start = outcome.numbers[0].values
    assert start[:2] == again.numbers[0].values and len(set(start)) == 3
    # What the course's number has to do with a whole run's is no reason here.
    assert {number.why for number in outcome.numbers} == {"a quick run"}
    best = outcome.numbers[1].values
    assert all(b >= s for b, s in zip(best, start, strict=True)) and np.isfinite(best).all()


def test_the_head_is_the_comment_on_top_alone():
    assert head("# a\n# b\n\n# c\ntitle = 1\n") == "a b"


def test_the_course_map_names_every_system_config_and_notebook():
    root = Path(__file__).parents[2]
    page = (root / "README.md").read_text(encoding="utf-8")
    section = page[page.index("## The course") :].split("\n## ")[0]
    named = {
        f"S{i:02}" for a, b in re.findall(r"S(\d\d)(?:–S(\d\d))?", section) for i in range(int(a), int(b or a) + 1)
    }
    assert named == set(IDS)
    assert all(f"`{system.config}`" in section for system in SYSTEMS if system.config)
    links = set(re.findall(r"\]\((.+?)\)", section))
    assert {f"notebooks/{path.name}" for path in (root / "notebooks").glob("*.ipynb")} < links
    assert all((root / link).is_file() for link in links)
