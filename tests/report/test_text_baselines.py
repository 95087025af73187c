"""What a model of a text is compared with: counts of tokens and of pairs."""

import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.report.text_baselines import text_baselines


def test_counts_of_a_text_that_repeats_itself(tmp_path):
    """Of "ababab…", who counts tokens knows nothing, and who counts pairs knows all but for the added counts."""
    (tmp_path / "text.txt").write_text("ab" * 2000, "utf-8")
    text = [f"data.file={tmp_path}/text.txt", "train.steps=4", "train.epochs=1"]
    found = text_baselines(make_experiment(load("shakespeare_gpt_cpu", text)))
    assert found["counts of tokens"] == pytest.approx(np.log(2), rel=1e-3)
    assert 0 < found["counts of pairs"] < 0.01


def test_what_is_no_text_has_no_counts():
    assert text_baselines(make_experiment(load("digits_mlp"))) == {}
