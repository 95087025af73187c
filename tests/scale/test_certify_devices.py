"""`jaxnn certify CONFIG --devices N`: devices that share a batch learn what one learns; a mistake is found."""

import jax
import numpy as np
import pytest

from jaxnn.cli.certify_devices import EXAMPLES, device_counts, devices_findings
from jaxnn.config import load
from jaxnn.kernels import batch_rows


def findings(name="digits_mlp", *, most=4):
    draw = np.random.default_rng(0)
    shape = (EXAMPLES, 8, 8, 1)
    examples = draw.uniform(size=shape), draw.integers(0, 10, EXAMPLES).astype(np.int32)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return devices_findings(str(name), load(name), examples, most)


def test_law_of_devices_holds_for_a_net_with_dropout():
    shared, ordered = findings()
    assert (shared.status, ordered.status) == ("held", "held")
    assert shared.measurement is not None and shared.measurement.bound == 1e-12
    assert ordered.measurement is not None and ordered.measurement.measured == 0 == ordered.measurement.bound
    assert shared.case == "digits_mlp on 1, 2, 4 devices"


def test_masks_of_the_devices_instead_of_the_examples_break_the_law(monkeypatch):
    monkeypatch.setattr(batch_rows, "draw_rows", lambda draw, shape: draw(shape))
    shared, _ = findings(most=2)
    assert shared.status == "broken" and "on 2 devices" in str(shared.measurement)


def test_net_that_devices_cannot_share_is_not_measured_and_says_why(tmp_path):
    (tmp_path / "norm.toml").write_text(
        'title = "norm"\n[data]\nname = "digits"\n[[net]]\nlayer = "flatten"\n[[net]]\nlayer = "batch_norm"\n'
        '[[net]]\nlayer = "dense"\nunits = 10\n[loss]\nname = "softmax_cross_entropy"\n[optimizer]\nname = "sgd"\n'
        'learning_rate = 0.1\n[train]\nepochs = 2\nbatch_size = 32\nbest = "train.loss"\n'
    )
    shared, ordered = findings(tmp_path / "norm.toml", most=2)
    assert shared.status == ordered.status == "not measured" and "batch_norm" in shared.reason


@pytest.mark.parametrize(("most", "counts"), [(2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8])])
def test_counts_are_the_powers_of_two_and_the_most(most, counts):
    assert device_counts(most) == counts
