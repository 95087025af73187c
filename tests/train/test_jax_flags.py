"""Training works under each of JAX's debugging flags: no value of our own is NaN, infinite, or promoted silently."""

import os
import subprocess
import sys

import pytest

FLAGS = {
    "JAX_DEBUG_NANS": "1",
    "JAX_DEBUG_INFS": "1",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_ENABLE_CHECKS": "1",
    "JAX_ENABLE_X64": "1",
    "JAX_DISABLE_JIT": "1",
}
PROGRAM = """
import sys
import numpy as np
import jaxnn

draw = np.random.default_rng(0)
X, IMAGES = draw.normal(size=(12, 5)).astype(np.float32), draw.integers(0, 256, size=(12, 6, 6, 1)).astype(np.uint8)
LABELS = np.arange(12, dtype=np.int32) % 3
METRICS = {"loss", "accuracy", "mae", "r2"}
MLP = jaxnn.mlp([4, 3], jaxnn.tanh())
CNN = jaxnn.serial(
    jaxnn.conv_max_pool(2, 3), jaxnn.relu(), jaxnn.dropout(0.3), jaxnn.flatten(), jaxnn.dense(3)
)
POOLS = jaxnn.serial(
    jaxnn.conv(2, 3, padding="SAME"), jaxnn.max_pool(2), jaxnn.elu(), jaxnn.l2_pool(2, 1), jaxnn.flatten(),
    jaxnn.dense(3),
)

def train(
    model, loss, make_optimizer, x=X, batch_size=4, best="validation.loss", patience=None, target=LABELS,
    undefined=frozenset(), **options
):
    def update(hyperparameters):
        return jaxnn.supervised(model, loss, make_optimizer(hyperparameters["rate"]), **options)
    source = jaxnn.in_memory(x, target, batch_size=batch_size)
    held_out = x[:5], target[:5]
    rates, seeds, epochs = ((0.01, 0.03), (0, 1), 3) if len(sys.argv) == 1 else ((0.01,), (0,), 1)
    for rate in rates:  # a sweep: two values of one program
        experiment = jaxnn.Experiment(
            update, source, jaxnn.Plan(epochs, best, patience), held_out, held_out, {"rate": rate}, seeds=seeds
        )
        run = jaxnn.fit(experiment)
        for metrics in run.scores.values():  # a class that is never predicted has no precision
            for name in METRICS & metrics.keys():
                assert (np.isnan if name in undefined else np.isfinite)(metrics[name]).all(), run.scores
        assert all(undefined <= metrics.keys() for metrics in run.scores.values()), run.scores
        assert np.isfinite(run.predict(x)).all()
        losses = run.history["train_loss"]
        assert np.isfinite(losses[:, 0]).all() and (patience or np.isfinite(losses).all()), losses

train(MLP, jaxnn.softmax_cross_entropy(), lambda rate: jaxnn.optimizer("adam", rate, l2=0.001, clip_norm=1.0))
if len(sys.argv) == 1:
    train(MLP, jaxnn.quadratic(), lambda rate: jaxnn.optimizer("momentum", rate), patience=1)
    train(MLP, jaxnn.class_weighted(jaxnn.sigmoid_cross_entropy(), (1.0, 2.0, 3.0)),
          lambda rate: jaxnn.optimizer("rmsprop", rate), batch_size=None, best="train.loss")
    train(CNN, jaxnn.softmax_cross_entropy(), lambda rate: jaxnn.optimizer("adamw", rate), IMAGES, average=0.9)
    train(POOLS, jaxnn.mean_squared_error(), lambda rate: jaxnn.optimizer("sgd", rate * 1e-5), IMAGES)
    train(MLP, jaxnn.quadratic(), lambda rate: jaxnn.optimizer("sgd", rate), target=X[:, :3], best="validation.r2")
    train(MLP, jaxnn.perceptron(), lambda rate: jaxnn.optimizer("gradient_descent", rate))
    train(MLP, jaxnn.quadratic(), lambda rate: jaxnn.optimizer("sgd", rate), target=0 * X[:, :3] + 2, undefined={"r2"})
    train(MLP, jaxnn.quadratic(), lambda rate: jaxnn.optimizer("bfgs"), X.astype(float), batch_size=None)
    train(MLP, jaxnn.quadratic(), lambda rate: jaxnn.optimizer("lbfgs"), batch_size=None)
"""


@pytest.mark.parametrize("flag", FLAGS)
def test_training_under_a_flag_of_jax(flag):
    # Without `jax.jit` each operation is a program of its own, so one small run is enough.
    args = ["short"] if flag == "JAX_DISABLE_JIT" else []
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        env=os.environ | {flag: FLAGS[flag], "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
