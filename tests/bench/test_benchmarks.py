"""What the benchmarks promise of themselves: checked work, medians, results that come back from their file."""

import pytest

from benchmarks import gpu
from benchmarks import timing as races
from benchmarks.benches import Measure, names
from benchmarks.results_file import Finding, Ratio, as_json, of_json
from benchmarks.rooflines import BOUNDS, bounded
from benchmarks.runner import CONTESTANTS, Work
from benchmarks.table import between_marks, markdown, said
from benchmarks.timing import Timing, race
from benchmarks.workloads import WORKS

WORK = Work("a", "a work", "digits_mlp", "", 100, 10, 5, 3, 0.1, loss=0.5, accuracy=0.9)
FINDING = Finding("a", "a work", "epoch", [Timing("x", "a", 2, 1, 3, 0.5, 0.1, 0.95)], [Ratio("x / y", 0.5, 0.25)], {})


class Slow:
    """A contestant's process that takes the seconds it is told to."""

    def __init__(self, name, work):
        self.name, self.work = name, work
        self.seconds = iter([7.0, 2.0, 1.0, 4.0])

    def train(self):
        return next(self.seconds)

    def ask(self, order):
        assert order == "test"
        return (0.1, 0.95) if self.name == "jaxnn" else (0.1, 0.5)

    def end(self):
        pass


def test_a_net_without_classes_needs_no_accuracy(monkeypatch):
    monkeypatch.setattr(races, "Child", Slow)
    monkeypatch.setattr(Slow, "ask", lambda self, order: (0.1, float("nan")))
    (timing,) = race([("jaxnn", WORK._replace(accuracy=0.0))])
    assert timing.seconds == 4.0
    with pytest.raises(RuntimeError, match=r"found 0\.1000 and nan"):
        race([("jaxnn", WORK)])


def test_a_timing_is_the_median_round_as_an_epoch_and_the_first_is_compiling(monkeypatch):
    monkeypatch.setattr(races, "Child", Slow)
    (timing,) = race([("jaxnn", WORK)])
    assert timing == Timing("jaxnn", "a", 2.0 * 2, 1.0 * 2, 4.0 * 2, 5.0, 0.1, 0.95)


def test_who_has_not_learned_has_no_time(monkeypatch):
    monkeypatch.setattr(races, "Child", Slow)
    monkeypatch.setattr(races, "installed", lambda name: True)
    with pytest.raises(RuntimeError, match=r"expected a test loss of at most 0\.5 and an accuracy of at least 0\.9"):
        race([("jaxnn", WORK), ("Keras", WORK)])


def test_findings_come_back_from_their_file():
    assert of_json(as_json(FINDING)) == FINDING


def test_a_missed_target_is_said():
    assert said(FINDING.ratios[0]).endswith("(target ≤ 0.25: MISSED)")
    assert "**missed**" in markdown([FINDING])


def test_a_finding_without_times_has_its_row():
    assert markdown([FINDING._replace(timings=[])]).endswith("| a work |  | x / y | 0.5 | ≤ 0.25 | **missed** |")


def test_the_table_stands_between_its_marks_and_nothing_else_changes():
    page = "before <!-- benchmarks cpu -->old<!-- /benchmarks cpu --> <!-- benchmarks gpu --><!-- /benchmarks gpu -->"
    assert between_marks(page, "new", "cpu") == page.replace("old", "\nnew\n")
    with pytest.raises(ValueError, match="expected the marks"):
        between_marks(page, "new", "tpu")


def test_every_benchmark_and_every_work_can_be_found():
    assert all(getattr(Measure, name).__doc__ for name in names())
    assert {"jaxnn", "PyTorch", "Keras", "Equinox", "Flax NNX", "scikit-learn", "NumPy"} <= set(CONTESTANTS)
    from jaxnn.config import load

    for work in WORKS.values():
        load(work.config, work.overrides)


@pytest.mark.parametrize(("device", "known"), [("cpu", names()), ("gpu", gpu.names())])
def test_a_results_file_says_what_bounds_a_missed_target_and_nothing_of_one_that_is_met(device, known):
    assert set(BOUNDS[device]) <= set(known)
    for name in BOUNDS[device]:
        missed = FINDING._replace(name=name)
        assert "performance.md" in bounded(missed, device)["what bounds it"]
        assert bounded(missed._replace(ratios=[Ratio("x / y", 0.2, 0.25)]), device) == {}
