"""Reproduces systems of the course one by one, with their figures; studies reuse the runs of earlier systems."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.config import build_model, load
from jaxnn.course import Budget, SeedMeasurement, System, SystemResult, reproduce, studies
from jaxnn.course import figures as course_figures
from jaxnn.course.budget import allows, at_most
from jaxnn.course.generative_systems import JUDGED, JUDGES, TAXI, TAXI_WINDOWS
from jaxnn.course.modular_study import frozen_modules
from jaxnn.course.optimizer_comparison import compare_optimizers, make_loss_plane
from jaxnn.course.run_system import best_params, limited_experiment, number_of_seeds, run_config
from jaxnn.course.series_novelty import alarms
from jaxnn.course.systems import EPOCH_SECONDS
from jaxnn.experiment.definition import seed_params
from jaxnn.experiment.judge import judge
from jaxnn.experiment.sampling import draw_samples
from jaxnn.report.figure import Figure
from jaxnn.report.figures import run_figures
from jaxnn.runs.history import history_columns

#: Draws the figures of a system. Only one thread may draw, because matplotlib's settings are global.
Draw = Callable[[], Iterable[Figure]]
#: The configs whose run a later study uses again -> those studies.
STUDIES_OF_RUN: dict[str, tuple[str, ...]] = {"mnist_cnn": ("filters", "time"), "mnist1000_sigmoid_mse": ("gap",)}


class CourseSession:
    """Runs systems; keeps a run until the last study of it is done and then releases it, because a run holds its data.

    A system with a study runs the method of that name.
    """

    def __init__(self, budget: Budget, seeds: int | None, data_dir: Path | None):
        self.budget: Budget = budget
        self.seeds: int | None = seeds
        self.data_dir: Path | None = data_dir
        self.runs: dict[str, SystemResult] = {}
        self.pending_studies: dict[str, set[str]] = {config: set(studies) for config, studies in STUDIES_OF_RUN.items()}

    def can_run(self, system: System) -> bool:
        """False for a system that would take hours on this machine's device."""
        return not system.needs_gpu or jax.default_backend() != "cpu"

    def run(self, system: System) -> tuple[SystemResult, Draw]:
        """The numbers of a system, and the function that draws its figures."""
        if system.study:
            return getattr(self, system.study)(system)
        run = self.cached_run if system.config in STUDIES_OF_RUN else self.new_run
        result = run(system, self.seeds)
        return result._replace(experiment=None, result=None), lambda: islice(figures_of(result), self.budget.figures)

    def seeds_of(self, system: System) -> int:
        """The number of seeds of a study."""
        return number_of_seeds(system, self.seeds, self.budget)

    def new_run(self, system: System, seeds: int | None) -> SystemResult:
        return reproduce(system, seeds=seeds, budget=self.budget, data_dir=self.data_dir)

    def cached_run(self, system: System, seeds: int | None) -> SystemResult:
        """The run of a config that has studies; runs it if this session has not run it yet."""
        if system.config not in self.runs:
            self.runs[system.config] = self.new_run(system, seeds)
        return self.runs[system.config]

    def run_for_study(self, config: str, study: str) -> SystemResult:
        """The run of a config for a study, released after its last study. If the study itself causes it: one seed."""
        result = self.cached_run(System("", "", "", config), 1)
        self.pending_studies[config].discard(study)
        if not self.pending_studies[config]:
            self.runs.pop(config, None)
        return result

    def activations(self, system: System) -> tuple[SystemResult, Draw]:
        error = studies.activation_curves()[2]
        return study_result(system, {"greatest |f′ by hand − autodiff|": error}), course_figures.activation_figures

    def costs(self, system: System) -> tuple[SystemResult, Draw]:
        s = studies.saturated_neuron()
        numbers = {f"steps to ½, {cost}": float(s.epochs_to_half(cost)) for cost in s.output}
        return study_result(system, numbers), course_figures.cost_figures

    def optimizers(self, system: System) -> tuple[SystemResult, Draw]:
        start_time, config = time.perf_counter(), load(system.config)
        n = self.seeds_of(system)
        runs = compare_optimizers(config, seeds=n, budget=self.budget, data_dir=self.data_dir)
        measurements = tuple(SeedMeasurement(f"{run.name} loss", run.final) for run in runs)
        result = SystemResult(system, measurements, n, time.perf_counter() - start_time)
        if not allows(self.budget.surfaces, system.config):
            return result, tuple
        plane = make_loss_plane(config, budget=self.budget, data_dir=self.data_dir)
        return result, lambda: course_figures.comparison_figures(system.config, config, runs, plane)

    def filters(self, system: System) -> tuple[SystemResult, Draw]:
        run = self.run_for_study("mnist_cnn", "filters")
        experiment, result = run.experiment, run.result
        assert experiment is not None and result is not None
        params = result.outcome.state.best.params
        count = float(course_figures.first_kernel(params).shape[-1])
        return study_result(system, {"filters learned": count}), lambda: islice(
            course_figures.feature_map_figures(build_model(load("mnist_cnn")), experiment, params), self.budget.figures
        )

    def time(self, system: System) -> tuple[SystemResult, Draw]:
        run = self.run_for_study("mnist_cnn", "time")
        assert run.experiment is not None and run.result is not None
        epochs = run.experiment.plan.epochs * len(run.experiment.seeds)
        seconds = run.result.outcome.seconds / epochs
        note = "another machine and another batch order; benchmarks/ compares frameworks on one machine"
        measurements = tuple(
            SeedMeasurement(f"seconds an epoch (course: {machine})", (seconds,), course, note)
            for machine, course in EPOCH_SECONDS.items()
        )
        return SystemResult(system, measurements, 1, 0.0), tuple

    def gradients(self, system: System) -> tuple[SystemResult, Draw]:
        error = studies.preprocessed_clouds()[1]
        return study_result(system, {"|whitened covariance − I|": error}), lambda: [
            *course_figures.preprocessing_figures(),
            *course_figures.gradient_norm_figures(self.budget),
        ]

    def gap(self, system: System) -> tuple[SystemResult, Draw]:
        run = self.run_for_study("mnist1000_sigmoid_mse", "gap")
        assert run.result is not None
        history = run.result.outcome.history
        gap = 100 * (history.train["accuracy"][:, -1] - history.validation["accuracy"][:, -1])
        values = tuple(float(value) for value in gap)
        measurement = SeedMeasurement("train − validation accuracy, points", values, "8.5", self.budget.note)
        return SystemResult(system, (measurement,), run.seeds, 0.0), tuple

    def novelty(self, system: System) -> tuple[SystemResult, Draw]:
        """The config with each class in turn as the normal one; the figures are those of the first."""
        start_time, digits = time.perf_counter(), range(10)[: self.budget.seeds]
        config = load(system.config)
        runs = []
        for digit in digits:
            normal = config.model_copy(update={"data": config.data.model_copy(update={"normal": digit})})
            runs.append(run_config(normal, 1, (), self.budget, self.data_dir, system))
        values = tuple(100 * float(run.result.scores["test"]["roc_auc"][0]) for run in runs if run.result is not None)
        measurement = SeedMeasurement("best test roc_auc, a digit each", values, "94.8", self.budget.note, 94.8)
        result = SystemResult(system, (measurement,), 1, time.perf_counter() - start_time)
        return result, lambda: islice(figures_of(runs[0]), self.budget.figures)

    def judged(self, system: System) -> tuple[SystemResult, Draw]:
        """The samples of a generative net, and what our own classifier says of them."""
        start_time = time.perf_counter()
        run = run_config(load(system.config), 1, (), self.budget, self.data_dir, system)
        classifier = limited_experiment(load(JUDGES[system.config]), 1, self.budget, self.data_dir)
        assert run.experiment is not None and run.result is not None
        params = seed_params(run.result.outcome.state.best.params, 0)
        count = at_most(JUDGED, self.budget.test_examples)
        samples = draw_samples(run.experiment, params, count, jax.random.key(0))
        found = judge(classifier, seed_params(best_params(classifier), 0), samples)
        numbers = (
            ("classes covered", float(found.classes), 10.0),
            ("samples with a confidence of 95 %, %", 100 * found.confident, 90.0 if system.id == "T13" else None),
            ("judge distance", found.distance, None),
            ("distance to the nearest training example", found.neighbour, None),
            ("the same of real test examples", found.real_neighbour, None),
        )
        measurements = tuple(
            SeedMeasurement(name, (value,), "", self.budget.note, target) for name, value, target in numbers
        )
        result = SystemResult(system, measurements, 1, time.perf_counter() - start_time)
        return result, lambda: islice(figures_of(run), self.budget.figures)

    def taxi(self, system: System) -> tuple[SystemResult, Draw]:
        """The labelled windows of a series that an autoencoder finds new."""
        run = run_config(load(system.config), self.seeds_of(system), (), self.budget, self.data_dir, system)
        assert run.experiment is not None and run.result is not None
        params = run.result.outcome.state.best.params
        found = alarms(run.experiment, params, TAXI, TAXI_WINDOWS, self.data_dir)
        numbers = (
            ("labelled windows found, of 5", tuple(found.found.astype(float).tolist()), "5", 5.0),
            ("other windows called new, %", tuple((100 * found.false_share).tolist()), "", None),
        )
        measurements = tuple(
            SeedMeasurement(name, values, published, self.budget.note, target)
            for name, values, published, target in numbers
        )
        result = SystemResult(system, measurements, run.seeds, run.seconds)
        return result, lambda: islice(figures_of(run), self.budget.figures)

    def frozen(self, system: System) -> tuple[SystemResult, Draw]:
        """Sub-nets trained alone and kept, beside each of them by itself."""
        start_time = time.perf_counter()
        experiment = limited_experiment(load(system.config), self.seeds_of(system), self.budget, self.data_dir)
        found = frozen_modules(experiment)
        measurements = [
            SeedMeasurement("best test accuracy %", tuple((100 * found.joined).tolist()), "", self.budget.note)
        ]
        for i, accuracy in enumerate(found.alone):
            name = f"sub-net {i + 1} alone, test accuracy %"
            measurements.append(SeedMeasurement(name, tuple((100 * accuracy).tolist()), "", self.budget.note))
        result = SystemResult(system, tuple(measurements), len(found.joined), time.perf_counter() - start_time)
        return result, lambda: ()

    def dense(self, system: System) -> tuple[SystemResult, Draw]:
        errors = studies.dense_gradient_errors()
        return study_result(system, {f"{name}: by hand − autodiff": error for name, error in errors.items()}), tuple


def shared_runs(systems: Sequence[System]) -> list[list[System]]:
    """The systems in groups, each of those that use the same run: a session must run them all. In their order."""
    config_of_study = {study: config for config, studies in STUDIES_OF_RUN.items() for study in studies}
    groups: dict[Any, list[System]] = {}
    for i, system in enumerate(systems):
        config = config_of_study.get(system.study, system.config)
        groups.setdefault(config if config in STUDIES_OF_RUN else i, []).append(system)
    return list(groups.values())


def study_result(system: System, numbers: dict[str, float]) -> SystemResult:
    """The result of a study that has no seeds."""
    return SystemResult(system, tuple(SeedMeasurement(name, (value,)) for name, value in numbers.items()), 1, 0.0)


def figures_of(run: SystemResult) -> Iterator[Figure]:
    """The figures of a run, as `jaxnn train` draws them."""
    assert run.experiment is not None and run.result is not None
    outcome, best = run.result.outcome, run.result.outcome.state.best
    history = history_columns(outcome.history, run.experiment.plan.eval_every)
    return run_figures(run.experiment, best.params, history, np.asarray(best.epoch).tolist())
