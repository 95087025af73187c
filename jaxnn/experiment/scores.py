"""The metrics and the predictions of trained parameters."""

import functools
from typing import Any

import jax
import numpy as np

from jaxnn.data.rows import has_rows, read_rows, spread_rows
from jaxnn.data.series import SeriesReader
from jaxnn.engine.compiled_run import MAX_PROGRAMS
from jaxnn.engine.out_of_memory import SMALLER, explained
from jaxnn.errors import UserError, plural
from jaxnn.experiment.class_metrics import MAX_NUMBERS, class_metrics, class_outcomes
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.kernels.devices import copied_to_device, local_devices
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Batch, Params
from jaxnn.quantities import OutputMean, RSquared, mark_undefined, unmark_undefined, values
from jaxnn.train.evaluation import evaluate_each
from jaxnn.train.shuffle import stream
from jaxnn.train.source import Prepare
from jaxnn.train.step import Bind

#: part -> metric -> a value for each seed (seeds,); of "…_per_class" and "…_per_output" (seeds, classes or outputs).
#: NaN: not defined
Scores = dict[str, dict[str, np.ndarray]]
#: Bytes of stored examples that are read at a time.
EVALUATED_BYTES = 4 << 20
#: Places of a long training sequence, such as a text, that are scored.
SCORED_PLACES = 1 << 17
#: Inputs that a prediction takes at a time.
PREDICTED_AT_ONCE = 1000


def scores(experiment: Experiment, params: Params) -> Scores:
    """The metrics of each seed's parameters on the `scored_examples` of each part, with the `class_metrics` that apply.

    Raises `UserError` when the memory does not suffice.
    """
    # Cut apart on the host: on the device each leaf's slice is a program to compile.
    params, by_part = jax.device_get(params), {}
    for part in experiment.parts():
        with explained(f"the evaluation of the part {part!r}", SMALLER):
            by_part[part] = _scores_of_part(experiment, params, part)
    return by_part


def scored_examples(experiment: Experiment, part: str) -> Any:
    """The examples of a part that are scored: all of them, but of a long training sequence `SCORED_PLACES` places.

    Their windows come from everywhere in it. All of a text of a million characters would take a fifth of the time that
    a small transformer trains.
    """
    examples = experiment.examples(part)
    if part != "train" or experiment.source.examples is None:
        return examples
    windows, length = jax.tree.leaves(examples)[0].shape[:2]
    count = max(1, SCORED_PLACES // length)
    return examples if windows <= count else jax.tree.map(lambda a: a[spread_rows(count, windows)], examples)


def _scores_of_part(experiment: Experiment, params: Params, part: str) -> dict[str, np.ndarray]:
    source, job = experiment.source, experiment.job()
    whole = experiment.bound().score is not None and part != "train"
    measure = _measure(experiment.bind, source.prepare, source.rows, tuple(local_devices()), whole)
    # What all seeds share is sent to the device once.
    data = None if has_rows(experiment.examples(part)) else _on_device(experiment, part, 0)
    rows = []
    for i, seed in enumerate(experiment.seeds):
        key = stream(jax.random.key(seed), part)
        arguments = seed_params(params, i), job.seed_hyperparameters(i)
        if data is None:
            measured, outcomes = _measure_stored(experiment, part, *arguments, key, whole=whole)
        else:
            stats, examples = _on_device(experiment, part, i) if experiment.stacked and i else data
            measured, outcomes = jax.device_get(measure(*arguments, stats, examples, key))
        found = jax.tree.map(unmark_undefined, measured) | class_metrics(outcomes)
        rows.append(found | in_units_of_series(experiment, found))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def in_units_of_series(experiment: Experiment, found: dict[str, Any]) -> dict[str, Any]:
    """The mean absolute error of the forecasts of a series in its own units: "mae_in_units"; {} for other data."""
    reader = experiment.data.reader
    if not isinstance(reader, SeriesReader) or "mae" not in found:
        return {}
    return {"mae_in_units": np.asarray(found["mae"] * reader.scale)}


def _on_device(experiment: Experiment, part: str, seed: int) -> tuple[Any, Batch]:
    single_seed = experiment.of_seed(seed)
    return copied_to_device((single_seed.source.stats, scored_examples(single_seed, part)))


@functools.lru_cache(MAX_PROGRAMS)
def _measure(bind: Bind, prepare: Prepare, rows: int | None, devices: tuple[Any, ...], whole: bool) -> Any:
    """Compiled once for a model on these devices, however often it is used. whole: with what `Update.score` measures"""
    del devices

    measured = _summed(bind, prepare, rows, whole)

    def measure(params, hyperparameters, stats, examples, key):
        limit = MAX_NUMBERS // jax.tree.leaves(examples)[0].shape[0]
        sums, outcomes = measured(params, hyperparameters, stats, examples, key, 0, limit)
        return _values_of(sums), outcomes

    return jax.jit(measure, compiler_options=compiler_options())


def _values_of(sums: Any) -> dict[str, Any]:
    """What is reported of sums: their values, and those of each output."""
    outputs = {name: quantity for name, quantity in sums.items() if isinstance(quantity, OutputMean | RSquared)}
    each = mark_undefined({name: quantity.per_output() for name, quantity in outputs.items()}, outputs)
    return mark_undefined(values(sums), sums) | {f"{name}_per_output": value for name, value in each.items()}


def _summed(bind: Bind, prepare: Prepare, rows: int | None, whole: bool) -> Any:
    """A function that sums what is measured of examples, the `first`-th batch of a part and those after it."""

    def summed(params, hyperparameters, stats, examples, key, first, limit):
        update = bind(hyperparameters)

        def measure_batch(params, batch, key):
            # The compiler computes the output once for both.
            sums = dict(update.evaluate(params, batch, key))
            if whole and update.score is not None:
                sums |= update.score(params, batch, key)
            return sums, class_outcomes(update, params, batch, limit)

        prepared = functools.partial(prepare, stats)
        return evaluate_each(measure_batch, params, examples, key, prepare=prepared, rows=rows, first=first)

    return summed


#: Compiled once for all seeds of a part.
_values_of_stored = jax.jit(_values_of)


@functools.lru_cache(MAX_PROGRAMS)
def _measure_block(
    bind: Bind, prepare: Prepare, rows: int | None, devices: tuple[Any, ...], whole: bool, limit: int
) -> Any:
    """Compiled once for a block of a part that is read block by block."""
    del devices
    summed = _summed(bind, prepare, rows, whole)

    def measure(params, hyperparameters, stats, examples, key, first):
        return summed(params, hyperparameters, stats, examples, key, first, limit)

    return jax.jit(measure, compiler_options=compiler_options())


def _measure_stored(
    experiment: Experiment, part: str, params: Params, hyperparameters: Any, key: Any, *, whole: bool
) -> Any:
    """The same of a part that stays where it is, read some batches at a time."""
    source, examples = experiment.source, experiment.examples(part)
    leaves = jax.tree.leaves(examples)
    n, row_bytes = len(leaves[0]), sum(leaf.nbytes for leaf in leaves) // len(leaves[0])
    size = source.rows or n
    block = max(1, EVALUATED_BYTES // max(1, row_bytes * size)) * size
    measure = _measure_block(
        experiment.bind, source.prepare, source.rows, tuple(local_devices()), whole, MAX_NUMBERS // n
    )
    parts = []
    for start in range(0, n, block):
        rows = read_rows(examples, np.arange(start, min(start + block, n)), source.corrupt)
        parts.append(jax.device_get(measure(params, hyperparameters, source.stats, rows, key, start // size)))
    sums, outcomes = jax.tree.map(lambda *a: np.concatenate(a), *parts)
    return jax.device_get(_values_of_stored(sums)), outcomes


def predict(experiment: Experiment, params: Params, x: Batch, seed: int = 0) -> Any:
    """The predictions of one seed's parameters for inputs x as the data have them: class probabilities, or outputs.

    params: of that seed, without the axis of seeds
    Raises `UserError` for an update without predictions, and when the memory does not suffice.
    """
    single_seed = experiment.of_seed(seed)
    if single_seed.bound().predict is None:
        raise UserError(f"{experiment.title}: expected an update that predicts, found one without `predict`")
    function = _predict(experiment.bind, experiment.source.prepare, tuple(local_devices()))
    values = single_seed.job().seed_hyperparameters(0)
    pieces = []
    with explained(f"the prediction of {plural(PREDICTED_AT_ONCE, 'input')} at a time", "make the layers smaller"):
        for i in range(0, jax.tree.leaves(x)[0].shape[0], PREDICTED_AT_ONCE):
            rows = jax.tree.map(lambda a, i=i: a[i : i + PREDICTED_AT_ONCE], x)
            pieces.append(jax.device_get(function(params, values, single_seed.source.stats, rows)))
    return jax.tree.map(lambda *rows: np.concatenate(rows), *pieces)


@functools.lru_cache(MAX_PROGRAMS)
def _predict(bind: Bind, prepare: Prepare, devices: tuple[Any, ...]) -> Any:
    """Compiled once for a model on these devices. Parameters are an argument, so all seeds share the program."""
    del devices

    def predict(params, hyperparameters, stats, x):
        x, _ = prepare(stats, (x, None))
        update = bind(hyperparameters)
        assert update.predict is not None
        return update.predict(params, x)

    return jax.jit(predict, compiler_options=compiler_options())
