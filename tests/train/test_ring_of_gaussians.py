"""A whole run of two players, with a folder: all modes of a ring, and samples."""

import jax
import numpy as np
import pytest

import jaxnn


@pytest.mark.figures
def test_ring_of_gaussians_is_learned(tmp_path):
    """A whole run through `fit`: all modes, the last parameters are the best, and a resumed run goes on to the bit."""
    from jaxnn.config import load
    from jaxnn.config.experiment import make_experiment

    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        overrides = ["train.epochs=200", "train.eval_every=100", "data.n=4000", "optimizer.average=0.99"]
        run = jaxnn.fit(make_experiment(load("gaussians_gan", overrides)), tmp_path / "run")
        assert run.best_epoch == (200,)
        assert float(run.scores["test"]["modes"][0]) >= 7
        samples = run.sample(100, seed=3)
        assert samples.shape == (100, 2)
        assert np.array_equal(samples, jaxnn.load_run(tmp_path / "run").sample(100, seed=3))
        assert (tmp_path / "run" / "figures" / "samples.png").is_file()
