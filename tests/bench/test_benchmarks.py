"""The benchmarks: contestants must do the timed work, timings are medians, results survive their file."""

import json
import math
from pathlib import Path

import chex
import jax
import pytest

from benchmarks import gpu, timing
from benchmarks.__main__ import PAGE
from benchmarks.benches import CpuBenchmarks, benchmark_names, step_flops
from benchmarks.contestants import jaxnn_engine
from benchmarks.results_file import BenchmarkResult, Ratio, from_json, to_json
from benchmarks.rooflines import LIMITS, limit
from benchmarks.runner import CONTESTANTS, Workload
from benchmarks.table import format_ratio, markdown_table, replace_between_markers
from benchmarks.timing import Timing, time_contestants
from benchmarks.workloads import WORKLOADS

WORKLOAD = Workload("a", "a work", "digits_mlp", "", 100, 10, 5, 3, 0.1, max_loss=0.5, min_accuracy=0.9)
RESULT = BenchmarkResult(
    "a", "a work", "epoch", [Timing("x", "a", 2, 1, 3, 0.5, 0.1, 0.95)], [Ratio("x / y", 0.5, 0.25)], {}
)


@pytest.fixture(autouse=True)
def jax_defaults():
    """Optimizers of optax mix types, and what is timed runs with JAX's own defaults."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


class FakeProcess:
    """A contestant's process whose rounds take given seconds."""

    def __init__(self, name, workload):
        self.name, self.workload = name, workload
        self.seconds = iter([7.0, 2.0, 1.0, 4.0])

    def train(self):
        return next(self.seconds)

    def send(self, command):
        assert command == "test"
        return (0.1, 0.95) if self.name == "jaxnn" else (0.1, 0.5)

    def close(self):
        pass


@pytest.fixture
def fake_processes(monkeypatch):
    monkeypatch.setattr(timing, "ContestantProcess", FakeProcess)


@pytest.mark.usefixtures("fake_processes")
def test_time_contestants_requires_no_accuracy_of_a_net_without_classes(monkeypatch):
    monkeypatch.setattr(FakeProcess, "send", lambda self, command: (0.1, float("nan")))
    (measured,) = time_contestants([("jaxnn", WORKLOAD._replace(min_accuracy=0.0))])
    assert measured.seconds == 4.0
    with pytest.raises(RuntimeError, match=r"found 0\.1000 and nan"):
        time_contestants([("jaxnn", WORKLOAD)])


@pytest.mark.usefixtures("fake_processes")
def test_time_contestants_takes_the_median_round_and_the_first_as_compiling():
    (measured,) = time_contestants([("jaxnn", WORKLOAD)])
    assert measured == Timing("jaxnn", "a", 2.0 * 2, 1.0 * 2, 4.0 * 2, 5.0, 0.1, 0.95)


@pytest.mark.usefixtures("fake_processes")
def test_time_contestants_rejects_a_contestant_that_has_not_learned(monkeypatch):
    monkeypatch.setattr(timing, "installed", lambda name: True)
    with pytest.raises(RuntimeError, match=r"expected a test loss of at most 0\.5 and an accuracy of at least 0\.9"):
        time_contestants([("jaxnn", WORKLOAD), ("Keras", WORKLOAD)])


@pytest.mark.parametrize("make", [jaxnn_engine.hand_written, jaxnn_engine.autodiff])
def test_jaxnn_contestant_continues_where_the_last_round_ended(make):
    workload = WORKLOADS["digits_mlp"]
    rounds, single = make(workload), make(workload)
    rounds.train(7)
    rounds.train(workload.steps_per_epoch)
    single.train(7 + workload.steps_per_epoch)
    chex.assert_trees_all_equal(rounds.params(), single.params())
    loss, accuracy = rounds.test()
    assert rounds.test() == single.test() and loss < 1 and accuracy > 0.8


def test_jaxnn_contestant_has_no_accuracy_without_classes():
    contestant = jaxnn_engine.hand_written(WORKLOADS["cosine"])
    contestant.train(10)
    loss, accuracy = contestant.test()
    assert loss > 0 and math.isnan(accuracy)


def test_jaxnn_contestant_repeats_the_examples_of_a_larger_workload():
    small = WORKLOADS["digits_mlp"]
    large = small._replace(examples=2 * small.examples)
    experiment = jaxnn_engine.make_workload_experiment(large)
    x, y = jaxnn_engine.training_examples(experiment)
    first_x, first_y = jaxnn_engine.training_examples(jaxnn_engine.make_workload_experiment(small))
    assert experiment.source.steps == large.steps_per_epoch
    chex.assert_trees_all_equal((x[: small.examples], y[: small.examples]), (first_x, first_y))
    chex.assert_trees_all_equal((x[small.examples :], y[small.examples :]), (first_x, first_y))


@pytest.mark.parametrize("seeds", [(3,), (0, 1)])
def test_whole_run_learns_with_any_number_of_seeds(seeds):
    workload = WORKLOADS["digits_mlp"]
    runner = jaxnn_engine.whole_run(workload._replace(overrides=(*workload.overrides, "train.epochs=2")))
    seconds, accuracy = runner.run(*seeds)
    assert seconds > 0 and accuracy > 0.85


def test_step_flops_count_both_products_of_each_layer_and_the_input_gradient():
    workload = WORKLOADS["digits_mlp"]
    products = 2 * workload.batch_size * (2 * 64 * 256 + 3 * 256 * 10)
    assert products < step_flops(workload) < 1.2 * products


def test_from_json_inverts_to_json():
    assert from_json(to_json(RESULT)) == RESULT


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_from_json_reads_the_stored_results(device):
    file = Path(__file__).parents[2] / "benchmarks" / "results" / f"{device}.json"
    for name, entry in json.loads(file.read_text(encoding="utf-8"))["benchmarks"].items():
        result = from_json(entry["found"])
        assert result.name == name and to_json(result) == entry["found"]


def test_format_ratio_marks_a_missed_target():
    assert format_ratio(RESULT.ratios[0]).endswith("(target ≤ 0.25: MISSED)")
    assert "**missed**" in markdown_table([RESULT], {RESULT.name: 1})


def test_markdown_table_has_a_row_for_a_result_without_timings():
    row = "| a work |  | x / y | 0.5 | ≤ 0.25 | **missed** | 212 |"
    assert markdown_table([RESULT._replace(timings=[])], {RESULT.name: 211.7}).endswith(row)


def test_replace_between_markers_changes_nothing_else():
    page = "before <!-- benchmarks cpu -->old<!-- /benchmarks cpu --> <!-- benchmarks gpu --><!-- /benchmarks gpu -->"
    assert replace_between_markers(page, "new", "cpu") == page.replace("old", "\nnew\n")
    with pytest.raises(ValueError, match="expected the markers"):
        replace_between_markers(page, "new", "tpu")


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_performance_page_has_the_markers_of_a_device(device):
    page = PAGE.read_text("utf-8")
    assert len(replace_between_markers(page, "", device)) < len(page)


def test_benchmarks_have_titles_and_workloads_have_valid_configs():
    assert all(getattr(CpuBenchmarks, name).__doc__ for name in benchmark_names())
    assert {"jaxnn", "PyTorch", "Keras", "Equinox", "Flax NNX", "scikit-learn", "NumPy"} <= set(CONTESTANTS)
    from jaxnn.config import load

    for workload in WORKLOADS.values():
        load(workload.config, workload.overrides)


@pytest.mark.parametrize("module", dict.fromkeys(module for module, _, _ in CONTESTANTS.values()))
def test_contestants_name_functions_of_existing_modules(module):
    source = (Path(__file__).parents[2] / "benchmarks" / "contestants" / f"{module}.py").read_text(encoding="utf-8")
    functions = [function for name, function, _ in CONTESTANTS.values() if name == module]
    assert all(f"\ndef {function}(" in source for function in functions)


@pytest.mark.parametrize(("device", "known"), [("cpu", benchmark_names()), ("gpu", gpu.benchmark_names())])
def test_limit_explains_missed_targets_only(device, known):
    assert set(LIMITS[device]) <= set(known)
    for name in LIMITS[device]:
        missed = RESULT._replace(name=name)
        assert "performance.md" in limit(missed, device)["what bounds it"]
        assert limit(missed._replace(ratios=[Ratio("x / y", 0.2, 0.25)]), device) == {}
