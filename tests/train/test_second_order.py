"""Laws of the optimizers that look at the curvature: where they arrive, on whose gradient, and where they refuse."""

import chex
import jax
import lineax as lx
import numpy as np
import optimistix as optx
import pytest
from jax import numpy as jnp

from jaxnn import dense, dropout, quadratic, serial, sigmoid, softmax_cross_entropy, tanh
from jaxnn.backprop import value_and_grad
from jaxnn.config import ConfigError, load
from jaxnn.config.experiment import make_experiment
from jaxnn.engine.driver import drive
from jaxnn.engine.job import Job
from jaxnn.errors import UserError
from jaxnn.train import Plan, in_memory, make_run, optimizer, supervised
from jaxnn.train.run import Data, make_training, shape_of
from jaxnn.train.second_order import SECOND_ORDER, lbfgs, matrix_bytes, newton
from jaxnn.train.solvers import DampedGaussNewton

NAMES = sorted(SECOND_ORDER)
LINE = serial(dense(2))
PLAN = Plan(epochs=60)


def line_data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(31, 3))
    return x, x @ draw.normal(size=(3, 2)) + 0.5 + 0.1 * draw.normal(size=(31, 2))


def trained(name, model=LINE, loss=None, data=None, plan=PLAN, seed=1, batch_size=None, **options):
    grad = options.pop("grad", value_and_grad)
    update = supervised(model, loss or quadratic(), optimizer(name, **options), grad=grad)
    return jax.jit(make_run(update, in_memory(*(data or line_data()), batch_size=batch_size), plan))(
        jax.random.key(seed)
    )


def least_squares(l2=0.0):
    x, y = line_data()
    rows = np.hstack([x, np.ones((len(x), 1))])
    decay = l2 * len(x) * np.diag([1.0, 1.0, 1.0, 0.0])  # the bias is not decayed; the loss is a mean
    return np.linalg.solve(rows.T @ rows + decay, rows.T @ y)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_each_arrives_where_the_normal_equations_say(name, l2):
    params, history = trained(name, l2=l2)
    expected = least_squares(l2)
    found = np.vstack([params.last[0].weight, params.last[0].bias])
    np.testing.assert_allclose(found, expected, atol=2e-6)
    loss = history.train["loss"]
    assert (np.diff(loss) <= 1e-12).all() or l2, "a step that does not lower the cost is turned down"


@pytest.mark.parametrize("name", NAMES)
def test_each_trains_float32_parameters_where_jax_computes_in_float64(name):
    data = tuple(a.astype(np.float32) for a in line_data())
    with jax.enable_x64(True):
        params, history = trained(name, data=data)
        assert {leaf.dtype.name for leaf in jax.tree.leaves(params.last)} == {"float32"}
        found = np.vstack([params.last[0].weight, params.last[0].bias])
        assert history.train["loss"].dtype == np.float32
    np.testing.assert_allclose(found, least_squares(), atol=2e-4)


def test_newton_needs_one_step_where_the_cost_is_quadratic():
    loss = trained("newton")[1].train["loss"]
    # Rows: the start, the start again (its evaluation), the minimum.
    np.testing.assert_allclose(loss[2:], loss[-1], rtol=1e-12)
    assert loss[1] > 1.5 * loss[2]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "levenberg_marquardt"])
def test_the_gradient_that_is_given_is_the_one_that_trains(name):
    def none(model, loss):
        true = value_and_grad(model, loss)

        def nothing(*args):
            value, dparams = true(*args)
            return value, jax.tree.map(jnp.zeros_like, dparams)

        return nothing

    params, history = trained(name, grad=none)
    assert np.ptp(history.train["loss"]) == 0
    assert np.isfinite(params.last[0].weight).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_net_is_trained_and_its_best_kept(name):
    draw = np.random.default_rng(2)
    x = draw.normal(size=(53, 2))
    data = x, (np.hypot(*x.T) > 1).astype(np.int32)
    model = serial(dense(7), tanh(), dense(2), sigmoid())
    params, history = trained(name, model, quadratic("sum"), data, Plan(40))
    loss = history.train["loss"]
    assert loss[-1] < 0.6 * loss[0]
    again = quadratic().terms(model.apply(params.best, x), data[1]).mean()
    np.testing.assert_allclose(again, loss.min(), rtol=1e-12)


@pytest.mark.parametrize("name", ["bfgs", "levenberg_marquardt"])
def test_a_run_in_pieces_and_among_other_seeds_is_the_run_alone(name):
    update, source = supervised(LINE, quadratic(), optimizer(name)), in_memory(*line_data())

    def bind(hyperparameters):
        return update

    training = make_training(bind, shape_of(source, PLAN))
    alone, together = (drive(Job(bind, source, PLAN, seeds)) for seeds in ((4,), (3, 4, 5)))
    pick = jax.tree.map(lambda a: a[1], together.state.update.params)
    first = jax.tree.map(lambda a: a[0], alone.state.update.params)
    chex.assert_trees_all_equal(pick, first)
    state = jax.jit(training.init)(jax.random.key(4), {})
    for n in (7, 53):
        state, _ = jax.jit(training.run_steps, static_argnums=4)(state, Data(line_data()), 0, jnp.int32(n), 60)
    chex.assert_trees_all_close(state.update.params, first, rtol=1e-9)


@pytest.mark.parametrize("rows", [3, 17])
@pytest.mark.parametrize("size", [1e-6, 0.3, 1e9])
def test_a_damped_step_is_what_the_damped_equations_say(rows, size):
    draw = np.random.default_rng(0)
    jacobian, residual, y = (jnp.asarray(draw.normal(size=shape)) for shape in ((rows, 5), (rows,), (5,)))
    operator = lx.MatrixLinearOperator(jacobian)
    info = optx.FunctionInfo.ResidualJac(residual, operator)
    descent = DampedGaussNewton(float(jnp.finfo(jnp.float64).eps))
    step, _ = descent.step(jnp.asarray(size), descent.query(y, info, descent.init(y, info)))
    damped = np.vstack([jacobian, np.eye(5) / np.sqrt(size)])
    expected = -np.linalg.lstsq(damped, np.concatenate([residual, np.zeros(5)]), rcond=None)[0]
    # With fewer rows than parameters and next to no damping, what JᵀJ cannot see is left alone.
    np.testing.assert_allclose(step, expected, rtol=1e-4, atol=1e-7 * np.abs(expected).max())


def test_levenberg_marquardt_refuses_what_is_no_sum_of_squares():
    labels = line_data()[0], np.zeros(31, np.int32)
    with pytest.raises(UserError, match=r"sum of squares.*found softmax_cross_entropy"):
        trained("levenberg_marquardt", loss=softmax_cross_entropy(), data=labels)
    with pytest.raises(UserError, match="sum of squares"):
        make_experiment(load("circles_mlp_2017", ['optimizer={name="levenberg_marquardt"}']))


def test_a_matrix_that_would_not_fit_is_refused_by_its_bytes():
    wide = in_memory(np.zeros((2, 1000), np.float32), np.zeros((2, 300), np.float32))
    with pytest.raises(UserError, match=r"300,300 parameters.*found 1,082,161,080,000 bytes needed; lbfgs"):
        make_run(supervised(serial(dense(300)), quadratic(), newton()), wide, PLAN)
    params = jax.eval_shape(serial(dense(300)).init, jax.random.key(0), jax.ShapeDtypeStruct((1, 1000), jnp.float32))
    assert matrix_bytes(lbfgs(), params, 600) == 0


def test_mini_batches_dropout_and_learning_rates_are_refused():
    with pytest.raises(UserError, match="expected batch_size = 'full', found mini-batches"):
        trained("bfgs", plan=Plan(6), batch_size=5)
    with pytest.raises(UserError, match="no dropout"):
        trained("lbfgs", model=serial(dropout(0.5), dense(2)))
    with pytest.raises(UserError, match="chooses its own step size"):
        optimizer("bfgs", 0.1)
    with pytest.raises(UserError, match="expected a learning rate"):
        optimizer("adam")
    with pytest.raises(UserError, match="polak_ribiere"):
        optimizer("nonlinear_cg", method="steepest")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (['optimizer={name="bfgs"}', "train.batch_size=20"], "train.batch_size: bfgs uses the whole training set"),
        (['optimizer={name="bfgs", learning_rate=0.1}'], "optimizer.learning_rate: bfgs chooses its own step size"),
        (['optimizer={name="lbfgs", history=0}'], "history of at least 1"),
    ],
)
def test_a_config_says_so_before_anything_is_loaded(change, said):
    with pytest.raises(ConfigError, match=said):
        load("blobs_neuron", change)
