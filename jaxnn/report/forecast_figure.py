"""The forecast of a series: a step ahead of what is known, and running on from its own numbers."""

from collections.abc import Iterator

import numpy as np

from jaxnn import plots
from jaxnn.data.series import SeriesReader
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import predict
from jaxnn.layer import Params
from jaxnn.report.figure import Figure
from jaxnn.report.figured_examples import last_part

#: Places of a figure.
SHOWN = 400


def forecast_figure(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The figure of the first seed on the test part, or the nearest thing to it, in the units of the series.

    A step ahead, each forecast sees the true numbers before it. Running on, the net sees its own forecasts, from the
    first window of the part. None for what is no series, and for a net whose output is not what follows its window.
    """
    reader = experiment.data.reader
    found = last_part(experiment)
    if not isinstance(reader, SeriesReader) or found is None:
        return
    part, examples = found
    x, y = (np.asarray(a[:SHOWN]) for a in examples)
    ahead = np.asarray(predict(experiment, params, x))
    if ahead.shape != y.shape:
        return
    window, free = x[:1], []
    while len(free) < len(y):
        following = np.asarray(predict(experiment, params, window))[0]
        free += following.tolist()
        window = np.concatenate([window, following[None, :, None].astype(window.dtype)], axis=1)[:, -x.shape[1] :]
    # Each place is told once: by the first number of the horizon.
    truth, ahead, running = (in_units(reader, a) for a in (y[:, 0], ahead[:, 0], np.asarray(free)[: len(y)]))
    title = f"Forecast, {part} part, seed {experiment.seeds[0]}"
    figure = plots.forecast(
        truth, ahead, running, str(reader.column) if isinstance(reader.column, str) else "", title=title
    )
    alt = f"{len(truth)} true numbers, each forecast from those before it, and a forecast that runs on from its own."
    yield Figure("forecast", "Forecast", figure, alt)


def in_units(reader: SeriesReader, values: np.ndarray) -> np.ndarray:
    """Scaled numbers in the units of the series."""
    return np.asarray(values, np.float64) * reader.scale + reader.mean
