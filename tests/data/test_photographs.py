"""A net that has seen MNIST alone reads digits that are drawn on paper and photographed under a lamp."""

import os

import jax
import numpy as np
import pytest
from photographs import drawn_digit, enlarged_digit, photograph

from jaxnn import fit
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.data import DigitReader
from jaxnn.data import load as load_data
from jaxnn.errors import UserError

SHORT = ("data.train=20000", "train.epochs=3", "optimizer.schedule.decay_steps=468", "data.test=100")
SIZES = ((480, 640), (900, 1200), (640, 480), (300, 400))


@pytest.mark.skipif(not os.environ.get("JAXNN_DATA_DIR"), reason="needs real MNIST: JAXNN_DATA_DIR is not set")
def test_predict_reads_38_of_40_digits_under_a_lamp(tmp_path):
    """Half of the digits are drawn by strokes, half are test digits of MNIST, with other pens on other papers."""
    # As the command line trains: the strict numbers of the tests are not those of optax's schedules.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        right = count_right(tmp_path)
    assert right >= 38


def count_right(folder):
    run = fit(make_experiment(load("mnist_cnn_deep", SHORT)))
    test, reader = load_data("mnist").test, run.experiment.data.reader
    assert test is not None and reader is not None
    images, digits = [], []
    for seed in range(40):
        rng = np.random.default_rng([4, seed])
        if seed % 2:
            row = int(rng.integers(len(test.y)))
            digit, ink = int(test.y[row]), enlarged_digit(test.x[row, ..., 0])
        else:
            digit, ink = seed // 2 % 10, drawn_digit(seed // 2 % 10, rng)
        photograph(ink, rng, SIZES[seed % 4]).save(folder / "photograph.jpg", quality="keep")
        images.append(reader.inputs(folder / "photograph.jpg"))
        digits.append(digit)
    return (run.predict(np.concatenate(images)).argmax(1) == digits).sum()


def test_reader_refuses_23_of_24_photographs_of_a_blank_page(tmp_path):
    """Lines of the paper, shadows, a desk in view and the edges of the sheet are no digit."""
    refused = 0
    for seed in range(24):
        page = photograph(np.zeros((560, 560), np.float32), np.random.default_rng([6, seed]), SIZES[3 * (seed % 2)])
        page.save(tmp_path / "blank.jpg", quality="keep")
        try:
            DigitReader((28, 28)).inputs(tmp_path / "blank.jpg")
        except UserError as error:
            refused += "expected a drawing on paper, found none" in str(error)
    assert refused >= 23
