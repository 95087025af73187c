"""Batch normalization without state: what it does to a batch, and the statistics that it evaluates with."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.batch_statistics import has_statistics, settle
from jaxnn.combine import with_input
from jaxnn.errors import UserError
from jaxnn.layers import batch_norm, dense, relu, tanh
from jaxnn.mixture_of_experts import mixture
from jaxnn.train import Plan, in_memory, make_run, supervised
from jaxnn.train.adversarial import adversarial
from jaxnn.train.second_order import newton

KEY = jax.random.key(0)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def random_params(model, x):
    return jax.tree.map(lambda a: normal(a.size, *a.shape), model.init(KEY, x))


@pytest.mark.parametrize("shape", [(13, 3), (2, 5, 4, 3)])
def test_batch_norm_ignores_shift_and_scale_of_a_channel(shape):
    layer, x = batch_norm(epsilon=0.0), normal(0, *shape)
    params = random_params(layer, x)
    y, res = layer.forward(params, x, KEY)
    assert np.allclose(
        layer.apply(params, x * jnp.broadcast_to(jnp.asarray([2.0, 0.1, 7.0]), shape) + 3.0, KEY), y, atol=1e-12
    )
    dx = layer.backward(params, res, normal(1, *shape))[1]
    assert np.allclose(dx.reshape(-1, 3).sum(0), 0, atol=1e-12)
    assert not np.allclose(
        layer.apply(params, x * jnp.arange(1.0, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1)), KEY), y
    )


def test_float32_statistics_are_right_at_a_large_mean():
    x = normal(0, 1000, 2).astype(np.float32) + np.float32(1e4)
    layer: Any = batch_norm()
    y = np.asarray(layer.apply(layer.init(KEY, x), x, KEY))
    assert np.allclose(y.std(0), 1, atol=1e-3)


MODELS = {
    "serial": lambda: jaxnn.serial(dense(5), batch_norm(), relu(), dense(4), batch_norm()),
    "named": lambda: jaxnn.serial(first=dense(5), norm=batch_norm(), last=tanh()),
    "parallel": lambda: jaxnn.parallel(jaxnn.serial(dense(5), batch_norm()), dense(5)),
    "concatenate": lambda: jaxnn.parallel(batch_norm(), jaxnn.serial(dense(3), batch_norm()), combine="concatenate"),
    "residual": lambda: jaxnn.residual(jaxnn.serial(batch_norm(), dense(3), tanh(), batch_norm())),
    "with_input": lambda: with_input(jaxnn.serial(dense(2), batch_norm())),
    "recompute": lambda: jaxnn.recompute(jaxnn.serial(dense(2), batch_norm())),
    "mixture": lambda: mixture(jaxnn.serial(batch_norm(), dense(2)), dense(4), jaxnn.serial(dense(4), batch_norm())),
}


@pytest.mark.parametrize("name", MODELS)
def test_settled_model_evaluates_a_batch_as_training_saw_it(name):
    model, x = MODELS[name](), normal(0, 17, 3)
    params = random_params(model, x)
    trained = model.apply(params, x, KEY)
    settled = settle(model, params, lambda i: x, 1, KEY)
    assert jax.tree.structure(settled) == jax.tree.structure(params)
    agree = jax.tree.map(lambda a, b: np.allclose(a, b, atol=1e-12), trained, model.apply(settled, x))
    assert all(jax.tree.leaves(agree))
    before = jax.tree.leaves(model.apply(params, x))[0]
    assert not np.allclose(jax.tree.leaves(trained)[0], before, atol=1e-3)  # control


def test_statistics_cannot_be_shared():
    model: Any = jaxnn.serial(norm=batch_norm(), bend=tanh(), again=jaxnn.share("norm"))
    x = normal(0, 17, 3)
    with pytest.raises(UserError, match=r"serial: again shares the weights of 'norm': expected no batch_norm"):
        settle(model, random_params(model, x), lambda i: x, 1, KEY)


def test_statistics_of_batches_are_those_of_all_examples():
    x = normal(0, 4, 5, 3) + normal(1, 4, 1, 3)
    layer = batch_norm()
    found = settle(layer, layer.init(KEY, x[0]), lambda i: x[i], 4, KEY).statistics
    assert np.allclose(found.mean, x.reshape(-1, 3).mean(0), atol=1e-12)
    assert np.allclose(found.deviation, x.reshape(-1, 3).std(0), atol=1e-12)
    assert not np.allclose(found.deviation, x.std(1).mean(0), rtol=1e-2)  # control


def test_combinator_without_a_flow_says_which():
    inner = batch_norm()
    own = jaxnn.Layer(inner.init, inner.forward, inner.backward, "own", (jaxnn.Part("0", inner, ""),))
    x = normal(0, 5, 3)
    with pytest.raises(UserError, match=r"own: expected layers without statistics inside it, found batch_norm"):
        settle(own, inner.init(KEY, x), lambda i: x, 1, KEY)


X, LABELS = np.asarray(normal(3, 40, 3) * 5 + 2), np.arange(40, dtype=np.int32) % 2
NET = jaxnn.serial(dense(5), batch_norm(), relu(), dense(2))


def trained(batch_size, model=NET, **options):
    update = supervised(model, jaxnn.softmax_cross_entropy(), optax.adamw(0.05, weight_decay=0.1), **options)
    plan = Plan(epochs=3, best="validation.loss")
    source = in_memory(X, LABELS, batch_size=batch_size)
    return update, *jax.jit(make_run(update, source, plan, (X, LABELS)))(KEY)


@pytest.mark.parametrize("average", [None, 0.5])
def test_run_evaluates_with_the_statistics_of_its_training_examples(average):
    update, result, history = trained(None, average=average)
    params: Any = result.last
    hidden = dense(5).apply(params[0], jnp.asarray(X))
    assert np.allclose(params[1].statistics.mean, hidden.mean(0), atol=1e-12)
    assert np.allclose(params[1].statistics.deviation, hidden.std(0), atol=1e-12)
    # In full batch, the best parameters are evaluated as the run evaluated them.
    y = NET.apply(result.best, jnp.asarray(X))
    assert jaxnn.softmax_cross_entropy()(y, LABELS)[0] == pytest.approx(float(history.validation["loss"].min()))
    assert update.settle is not None


def test_statistics_change_no_step_of_the_training_and_have_no_optimizer_state():
    update = supervised(NET, jaxnn.softmax_cross_entropy(), optax.adam(0.05))
    state = update.init(KEY, (X, LABELS))
    assert not any(a.size == 5 and "statistics" in str(path) for path, a in jax.tree.leaves_with_path(state.optimizer))
    batch = jnp.asarray(X), jnp.asarray(LABELS)
    settled = update.settle(state, lambda i: batch, 1, KEY)  # pyright: ignore[reportOptionalCall]
    plain, other = (update.step(start, batch, KEY)[0].params for start in (state, settled))
    assert np.array_equal(plain[0].weight, other[0].weight)
    assert np.array_equal(other[1].statistics.mean, settled.params[1].statistics.mean)


def test_best_of_full_batch_training_has_its_own_statistics():
    update = supervised(NET, jaxnn.softmax_cross_entropy(), optax.sgd(0.1))
    run = jax.jit(make_run(update, in_memory(X, LABELS), Plan(epochs=4, best="train.loss")))
    params: Any = run(KEY)[0].best
    hidden = dense(5).apply(params[0], jnp.asarray(X))
    assert np.allclose(params[1].statistics.mean, hidden.mean(0), atol=1e-12)


def test_generator_is_settled_and_a_critic_is_refused():
    critic = jaxnn.serial(dense(5), tanh(), dense(1))
    update = adversarial(
        jaxnn.serial(dense(5), batch_norm(), dense(3)), critic, optax.adam(0.1), optax.adam(0.1), latent=2
    )
    run = jax.jit(make_run(update, in_memory(X, LABELS, batch_size=8), Plan(epochs=2, best="last")))
    params: Any = run(KEY)[0].last.generator
    assert np.all(params[1].statistics.mean != 0)
    with pytest.raises(UserError, match=r"critic: .*batch_norm"):
        adversarial(critic, jaxnn.serial(batch_norm(), critic), optax.sgd(0.1), optax.sgd(0.1), latent=2)


def test_what_cannot_normalize_over_the_batch_is_refused():
    assert has_statistics(NET) and not has_statistics(dense(3))
    with pytest.raises(UserError, match=r"newton: expected a model whose examples do not depend .* batch_norm"):
        supervised(NET, jaxnn.quadratic(), newton())
    sequence = jaxnn.Sequence(normal(0, 3, 4, 2), jnp.asarray([4, 2, 1]))
    with pytest.raises(UserError, match="batch_norm"):
        jaxnn.serial(dense(3), batch_norm()).init(KEY, sequence)
    with pytest.raises(UserError, match="epsilon of 0 or more"):
        batch_norm(-1.0)
