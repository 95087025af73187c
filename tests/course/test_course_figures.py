"""The course's figures that belong to no run: each is drawn, and names what it shows."""

import jax
import pytest

from jaxnn.config import build_model, load
from jaxnn.config.experiment import make_experiment
from jaxnn.course import QUICK
from jaxnn.course.budget import limit_config
from jaxnn.course.figures import feature_map_figures, gradient_norm_figures


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def test_feature_map_figures_draw_the_first_convolution_and_its_pools():
    config = limit_config(load("digits_cnn"), QUICK)
    model, experiment = build_model(config), make_experiment(config)
    params = jax.tree.map(lambda a: a[None], model.init(jax.random.key(0), experiment.source.example[0]))
    names = [figure.name for figure in feature_map_figures(model, experiment, params)]
    assert names == ["feature_maps", "maps_max_pool", "maps_average_pool", "maps_l2_pool"]


def test_gradient_norm_figures_draw_the_nets_of_the_budget():
    names = [figure.name for figure in gradient_norm_figures(QUICK)]
    assert names == ["gradient_norms_sigmoid_0", "gradient_norms_relu_1"]
