"""Anomalies of a series: which labelled windows an autoencoder of the series finds, and how often it is wrong."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn.data.data_dir import find_path
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.scores import predict
from jaxnn.layer import Params

#: The share of the windows learned from that give no alarm: one in a hundred does.
QUIET_SHARE = 0.99


class Alarms(NamedTuple):
    """Of each seed (seeds,): labelled windows that are found, and the share of the other later windows called new.

    The share is NaN where there are no other windows.
    """

    found: np.ndarray
    false_share: np.ndarray
    labelled: int


def alarms(
    experiment: Experiment, params: Params, series_file: str, windows_file: str, data_dir: Path | None
) -> Alarms:
    """What an autoencoder finds new after its training part: what it draws worse than `QUIET_SHARE` of what it knows.

    experiment: of `series`, with `train.target = "input"`; params: with a leading axis of seeds
    windows_file: JSON, the first value of which is a list of [begin, end] of the labelled windows

    A window of the series belongs to its last place. Raises `UserError` for files that do not fit each other.
    """
    train, test = (np.asarray(_inputs(experiment, part)) for part in ("train", "test"))
    length = train.shape[1]
    inside = labelled_places(find_path(series_file, data_dir), find_path(windows_file, data_dir))
    first = len(inside[0]) - len(test)
    found, false_share = [], []
    for i in range(len(experiment.seeds)):
        errors = [
            ((predict(experiment, seed_params(params, i), x, i) - x) ** 2).reshape(len(x), -1).mean(1)
            for x in (train, test)
        ]
        alarm = np.zeros(len(inside[0]), bool)
        alarm[first:] = errors[1] > np.quantile(errors[0], QUIET_SHARE)
        found.append(sum(alarm[places].any() for places in inside))
        # A window that has a labelled place in it is no ordinary one.
        touched = np.convolve(np.any(inside, axis=0), np.ones(length))[: len(alarm)] > 0
        ordinary = ~touched & (np.arange(len(alarm)) >= first)
        false_share.append(alarm[ordinary].mean() if ordinary.any() else np.nan)
    return Alarms(np.asarray(found), np.asarray(false_share), len(inside))


def _inputs(experiment: Experiment, part: str) -> Any:
    examples = experiment.examples(part)
    assert isinstance(examples, tuple)
    return examples[0]


def labelled_places(series_file: Path, windows_file: Path) -> list[np.ndarray]:
    """For each labelled window, which places of the series lie in it. The first column of the series has the times."""
    try:
        lines = series_file.read_text("utf-8").splitlines()[1:]
        times = np.asarray([datetime.fromisoformat(line.split(",")[0]) for line in lines])
        (windows, *_) = json.loads(windows_file.read_text("utf-8")).values()
        bounds = [(datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in windows]
    except (ValueError, AttributeError, OSError) as error:
        raise UserError(
            f"{windows_file}: expected windows [begin, end] of the times in the first column of {series_file}, "
            f"found others: {error}"
        ) from error
    return [(times >= begin) & (times <= end) for begin, end in bounds]
