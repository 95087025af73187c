"""Runs an experiment: trains every seed as one program, and scores the best parameters of each."""

from contextlib import nullcontext
from typing import Any, NamedTuple

from jaxnn.engine.driver import Outcome, drive
from jaxnn.engine.hooks import Hooks
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import Scores, scores


class Result(NamedTuple):
    """What came of an experiment. Every leaf has a leading axis of seeds.

    outcome: the last state and the history
    scores: part -> metric -> values of the best parameters; empty where the run was stopped before its end
    """

    outcome: Outcome
    scores: Scores


def run(experiment: Experiment, hooks: Hooks | None = None, resume_from: Snapshot | None = None) -> Result:
    """Trains every seed of the experiment as one program, and scores the best parameters of each.

    experiment: one that `Experiment.check` has passed
    resume_from: continues there
    Raises `NonFiniteError` for NaN, infinity or divergence, `UserError` when the memory does not suffice.
    """
    job = experiment.job()
    with _blas_threads(job.bound(0).one_device):
        outcome = drive(job, hooks, resume_from)
    return Result(outcome, scores(experiment, outcome.state.best.params) if outcome.finished else {})


def _blas_threads(factors_matrices: bool) -> Any:
    """Limits LAPACK to one thread while a second-order method runs.

    It factors matrices on a CPU; several threads of it compete with those of XLA and take 100 times as long.
    """
    if not factors_matrices:
        return nullcontext()
    import scipy.linalg.cython_lapack  # noqa: F401  the library whose threads are limited must be loaded
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")
