"""The detection of objects: boxes and cells, what counts as found, the loss, and pictures of a run."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.data import load as load_data
from jaxnn.detection import average_precisions, found_objects, known_objects, overlap
from jaxnn.errors import UserError
from jaxnn.experiment.definition import seed_params
from jaxnn.loss import class_weighted
from jaxnn.losses import detection
from jaxnn.report.prediction_figures import prediction_figures
from jaxnn.report.prediction_rows import object_rows
from jaxnn.targets import Boxes


def perfect(target: Boxes, classes: int) -> np.ndarray:
    """The prediction of a detector that is always right."""
    return np.concatenate([np.eye(classes)[target.label], target.box], -1)


def target_of(*objects: tuple[int, int, int, int, tuple[float, ...]], pictures: int = 2) -> Boxes:
    """Objects (picture, row, column, label, box) on grids of 2×3 cells."""
    target = Boxes(np.zeros((pictures, 2, 3), np.int32), np.zeros((pictures, 2, 3, 4), np.float32))
    for picture, row, column, label, box in objects:
        target.label[picture, row, column] = label
        target.box[picture, row, column] = box
    return target


def test_overlap_of_boxes_by_hand():
    a = np.asarray([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 5.0]])
    b = np.asarray([[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 5.0, 5.0]])
    assert np.allclose(overlap(a, b), [[1 / 7, 1, 0], [0, 0, 0]])


def test_boxes_of_a_canvas_enclose_the_ink_of_each_digit():
    options = {"n": 60, "test_n": 1, "noise": 0.0}
    boxes: Any = load_data("canvas", {**options, "target": "boxes"}).train
    pixels: Any = load_data("canvas", options).train
    assert np.array_equal(boxes.x, pixels.x)
    found = known_objects(boxes.y).scaled((24, 24), (6, 6))
    assert len(found.label) == (boxes.y.label > 0).sum()
    covered = np.zeros(pixels.y.shape, np.int32)
    for picture, label, _, box in zip(*found, strict=True):
        top, left, bottom, right = np.round(box).astype(int)
        assert np.allclose(box, (top, left, bottom, right), atol=1e-4)
        inside = pixels.y[picture, top:bottom, left:right]
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):  # no smaller box would do
            assert (edge == label).any()
        covered[picture, top:bottom, left:right] = 1
    assert not ((pixels.y > 0) & (covered == 0)).any()


def test_perfect_detector_has_an_average_precision_of_one():
    target: Any = load_data("canvas", {"n": 30, "test_n": 1, "target": "boxes"}).train.y
    metrics = average_precisions(perfect(target, 11), target)
    assert metrics["average_precision"] == pytest.approx(1)
    assert np.isnan(metrics["average_precision_per_class"][0])
    assert metrics["support_per_class"].sum() == (target.label > 0).sum()


BOX = (0.5, 0.5, 1.0, 1.0)


def test_average_precision_by_hand():
    """Three objects of class 1; found, from the most probable: a right one, a wrong one, a right one."""
    target = target_of((0, 0, 0, 1, BOX), (0, 1, 2, 1, BOX), (1, 0, 1, 1, BOX))
    prediction = perfect(target_of((0, 0, 0, 1, BOX), (1, 1, 0, 1, BOX), (1, 0, 1, 1, BOX)), 3)
    for (picture, row, column), score in {(0, 0, 0): 0.9, (1, 1, 0): 0.8, (1, 0, 1): 0.7}.items():
        prediction[picture, row, column, :3] = (1 - score, score, 0)
    metrics = average_precisions(prediction, target)
    assert metrics["average_precision"] == pytest.approx((1 + 2 / 3) / 3)
    # A box of the wrong class, and one that overlaps too little, find nothing.
    prediction[0, 0, 0, :3] = (0.1, 0, 0.9)
    assert average_precisions(prediction, target)["average_precision"] == pytest.approx(1 / 2 / 3)
    prediction[0, 0, 0, :3], prediction[0, 0, 0, -2:] = (0.1, 0.9, 0), 0.6
    assert average_precisions(prediction, target)["average_precision"] == pytest.approx(1 / 3 / 3)
    prediction[:] = np.nan
    assert average_precisions(prediction, target)["average_precision"] == 0


def test_object_is_found_once():
    target = target_of((0, 0, 1, 1, BOX), pictures=1)
    prediction = perfect(target, 2)
    prediction[0, 0, 0] = (0.4, 0.6, 0.5, 1.4, 1.0, 1.0)  # the cell to the left means the same box
    assert len(found_objects(prediction).score) == 1
    assert found_objects(prediction).score[0] == 1
    prediction[0, 0, 0] = (0.4, 0.6, 0.5, 0.5, 1.0, 1.0)  # another box
    assert len(found_objects(prediction).score) == 2
    # In two pictures, and of two classes, boxes of one place are several objects.
    twice = np.concatenate([perfect(target, 3)] * 2)
    assert len(found_objects(twice).score) == 2


def test_no_object_gives_no_precision():
    target = target_of()
    metrics = average_precisions(perfect(target, 3), target)
    assert np.isnan(metrics["average_precision"])


def test_detection_refuses_what_does_not_fit():
    target, y = target_of(), np.zeros((2, 2, 3, 7))
    with pytest.raises(UserError, match=r"expected Boxes with a label and a box for each of \(2, 3, 3\) cells"):
        detection()(jax.numpy.zeros((2, 3, 3, 7)), target)
    with pytest.raises(UserError, match=r"expected the output \(batch, rows, columns, classes \+ 4\)"):
        detection()(jax.numpy.zeros((2, 7)), target)
    with pytest.raises(UserError, match="weight of the box of at least 0"):
        detection(box=-1.0)
    with pytest.raises(UserError, match="class_weights: expected a loss of labels, found detection"):
        class_weighted(detection(), [1.0, 2.0])
    with pytest.raises(UserError, match="multiple of 4"):
        load_data("canvas", {"size": 18, "target": "boxes"})
    weighted = jaxnn.Weighted(target, np.asarray([1.0, 0.0]))
    assert detection()(jax.numpy.asarray(y), weighted)[0] == pytest.approx(np.log(3))


@pytest.fixture(scope="module")
def detector_run():
    small = ["data.n=300", "data.validation=40", "data.test_n=30", "data.test=30", "train.epochs=4"]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield jaxnn.fit(make_experiment(load("canvas_detector", small)))


def test_run_of_a_detector_measures_and_draws_what_it_finds(detector_run):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        scores = detector_run.scores["test"]
        assert 0 <= scores["average_precision"][0] <= 1
        assert scores["loss"][0] == pytest.approx(scores["class_loss"][0] + scores["box_loss"][0], rel=1e-5)
        figures = list(prediction_figures(detector_run.experiment, seed_params(detector_run.params, 0)))
        assert [figure.name for figure in figures] == ["detections"]
    target = target_of((0, 0, 1, 2, BOX), pictures=2)
    rows = object_rows(detector_run.experiment, perfect(target, 11), (20, 30, 1))
    sides = {"top": 0.0, "left": 10.0, "bottom": 10.0, "right": 20.0}
    none = {"class": "none", "probability": None} | dict.fromkeys(sides)
    assert rows == [[{"class": "1", "probability": 1.0, **sides}], [none]]
