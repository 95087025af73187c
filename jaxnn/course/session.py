"""A system of the course, run or studied, with the figures that the deck had."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np

from jaxnn.config import load
from jaxnn.course import Measured, Outcome, System, reproduce, studies
from jaxnn.course import figures as course_figures
from jaxnn.course.optimizer_comparison import compare, plane
from jaxnn.course.run_system import QUICK_WHY
from jaxnn.course.systems import EPOCH_SECONDS
from jaxnn.report.figures import Drawn, pictures

#: Draws the figures of a system, when asked.
Draw = Callable[[], Iterable[Drawn]]
#: The configs whose run a later study looks at again, each with those that do.
STUDIED = {"mnist_cnn": ("filters", "time"), "mnist1000_sigmoid_mse": ("gap",)}


class Show:
    """(system) -> (outcome, draw). Remembers a run until the last study that looks at it again: a run holds its data.

    draw() -> the figures: to be called by one thread alone, since matplotlib's settings are everyone's
    """

    def __init__(self, quick: bool, seeds: int | None, data_dir: Path | None):
        self.quick, self.seeds, self.data_dir = quick, seeds, data_dir
        self.runs: dict[str, Outcome] = {}
        self.looks = {config: set(studies) for config, studies in STUDIED.items()}
        self.alone = {config: Lock() for config in STUDIED}

    def __call__(self, system: System) -> tuple[Outcome, Draw]:
        if system.study:
            return getattr(self, system.study)(system)
        outcome = self.run(system, self.seeds) if system.config not in STUDIED else self.remembered(system, self.seeds)
        return outcome._replace(experiment=None, result=None), lambda: islice(pictures_of(outcome), self.few)

    def run(self, system: System, seeds: int | None) -> Outcome:
        return reproduce(system, seeds=seeds, quick=self.quick, data_dir=self.data_dir)

    def remembered(self, system: System, seeds: int | None) -> Outcome:
        """The run of a config that studies look at, made now if it was not made in this session."""
        with self.alone[system.config]:
            if system.config not in self.runs:
                self.runs[system.config] = self.run(system, seeds)
            return self.runs[system.config]

    @property
    def few(self) -> int | None:
        """How many of a run's figures are drawn; None: all."""
        return 1 if self.quick else None

    def run_of(self, config: str, study: str) -> Outcome:
        """The run of a config for a study, of one seed alone if made for that; forgotten when no other will look."""
        outcome = self.remembered(System("", "", "", config), 1)
        self.looks[config].discard(study)
        if not self.looks[config]:
            self.runs.pop(config, None)
        return outcome

    def activations(self, system: System) -> tuple[Outcome, Draw]:
        worst = studies.activations()[2]
        return studied(system, {"greatest |f′ by hand − autodiff|": worst}), course_figures.activations

    def costs(self, system: System) -> tuple[Outcome, Draw]:
        s = studies.saturated()
        numbers = {f"steps to ½, {name}": float(s.halved(name)) for name in s.output}
        return studied(system, numbers), course_figures.costs

    def optimizers(self, system: System) -> tuple[Outcome, Draw]:
        began, config = time.perf_counter(), load(system.config)
        n = (2 if self.quick else system.seeds) if self.seeds is None else self.seeds
        rivals = compare(config, seeds=n, quick=self.quick, data_dir=self.data_dir)
        numbers = tuple(Measured(f"{r.name} loss", r.final) for r in rivals)
        outcome = Outcome(system, numbers, n, time.perf_counter() - began)
        if self.quick and system.config != "optimizers_neuron":
            return outcome, tuple
        ways = plane(config, quick=self.quick, data_dir=self.data_dir)
        return outcome, lambda: course_figures.of_rivals(system.config, config, rivals, ways)

    def filters(self, system: System) -> tuple[Outcome, Draw]:
        outcome = self.run_of("mnist_cnn", "filters")
        experiment, result = outcome.experiment, outcome.result
        assert experiment is not None and result is not None
        params = result.outcome.state.best.params
        learned = float(course_figures.first_kernel(params).shape[-1])
        return studied(system, {"filters learned": learned}), lambda: islice(
            course_figures.of_filters(experiment, params), self.few
        )

    def time(self, system: System) -> tuple[Outcome, Draw]:
        outcome = self.run_of("mnist_cnn", "time")
        assert outcome.experiment is not None and outcome.result is not None
        epochs = outcome.experiment.plan.epochs * len(outcome.experiment.seeds)
        seconds = outcome.result.outcome.seconds / epochs
        why = "another machine and another batch order; benchmarks/ compares frameworks on one machine"
        numbers = tuple(
            Measured(f"seconds an epoch (course: {machine})", (seconds,), course, why)
            for machine, course in EPOCH_SECONDS.items()
        )
        return Outcome(system, numbers, 1, 0.0), tuple

    def gradients(self, system: System) -> tuple[Outcome, Draw]:
        numbers = {"|whitened covariance − I|": studies.clouds()[1]}
        return studied(system, numbers), lambda: [
            *course_figures.preprocessing(),
            *course_figures.gradient_norms(self.quick),
        ]

    def gap(self, system: System) -> tuple[Outcome, Draw]:
        outcome = self.run_of("mnist1000_sigmoid_mse", "gap")
        assert outcome.result is not None
        history, why = outcome.result.outcome.history, QUICK_WHY if self.quick else ""
        gap = 100 * (history.train.accuracy[:, -1] - history.validation.accuracy[:, -1])
        measured = Measured("train − validation accuracy, points", tuple(float(g) for g in gap), "8.5", why)
        return Outcome(system, (measured,), outcome.seeds, 0.0), tuple

    def dense(self, system: System) -> tuple[Outcome, Draw]:
        return studied(system, {f"{k}: by hand − autodiff": v for k, v in studies.dense_gradients().items()}), tuple


def studied(system: System, numbers: dict[str, float]) -> Outcome:
    return Outcome(system, tuple(Measured(name, (value,)) for name, value in numbers.items()), 1, 0.0)


def pictures_of(outcome: Outcome) -> Iterator[Drawn]:
    """The figures of a run, as `jaxnn train` draws them."""
    assert outcome.experiment is not None and outcome.result is not None
    found, state = outcome.result.outcome, outcome.result.outcome.state
    every = outcome.experiment.plan.eval_every
    history = {"epoch": (np.arange(found.history.train.loss.shape[1]) + 1) * every}
    for part, metrics in zip(("train", "validation"), found.history, strict=True):
        if np.isfinite(metrics.loss).any():
            history |= {f"{part}_{name}": np.asarray(a) for name, a in zip(("loss", "accuracy"), metrics, strict=True)}
    return pictures(outcome.experiment, state.best.params, history, np.asarray(state.best.epoch).tolist())
