"""Every shipped config of data that are in the package has figures, and one that fails loses nothing else."""

from contextlib import contextmanager

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.config.shipped import shipped_configs
from jaxnn.errors import FigureWarning
from jaxnn.report import figures


@contextmanager
def numerics(precision):
    """The numbers of the command line."""
    is_double = precision == "float64"
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(is_double):
        yield


EMBEDDED = [name for name, config in shipped_configs().items() if not config.files]


@pytest.mark.parametrize("name", EMBEDDED)
def test_figures_of_a_shipped_config_are_drawn(name):
    """Those of the first parameters: what a figure asks of a net does not depend on how long it was trained."""
    config = load(name)
    history = {"epoch": np.arange(1, 4), "train_loss": np.ones((1, 3)), "validation_loss": np.ones((1, 3))}
    with numerics(config.train.precision):
        experiment = make_experiment(config)
        update = experiment.bound()
        params = update.params(update.init(jax.random.key(0), experiment.source.example))
        params = jax.tree.map(lambda a: np.asarray(a)[None], params)
        names = [figure.name for figure in figures.run_figures(experiment, params, history, [3])]
    assert names[0] == "learning_curves" and len(set(names)) == len(names) > 1


@pytest.mark.figures
def test_run_whose_figure_fails_is_finished_without_it(tmp_path, monkeypatch):
    def broken(*args):
        raise ValueError("no such\nplane")
        yield

    monkeypatch.setattr(figures, "prediction_figures", broken)
    with numerics("float32"), pytest.warns(FigureWarning, match="figures of predictions: not drawn: no such plane"):
        run = jaxnn.fit(
            make_experiment(load("circles_mlp", ["train.epochs=1", "train.eval_every=1"])), tmp_path / "run"
        )
    assert run.folder is not None and (run.folder / "report.html").exists()
    assert (run.folder / "figures" / "learning_curves.png").exists()
    assert jaxnn.load_run(run.folder).scores["test"]
