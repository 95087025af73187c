"""Two players: each gradient is autodiff's with the other held, and a penalty is autodiff's double backward pass."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.errors import UserError
from jaxnn.quantities import Covered
from jaxnn.train.adversarial import adversarial, close_to_real, join_class
from jaxnn.train.games import GAMES
from jaxnn.train.player_gradients import Penalty, critic_gradient, generator_gradient, penalty_gradient

GENERATOR = jaxnn.serial(jaxnn.dense(7), jaxnn.tanh(), jaxnn.dense(2))
CRITIC = jaxnn.serial(jaxnn.dense(11), jaxnn.softplus(), jaxnn.dense(5), jaxnn.tanh(), jaxnn.dense(1))


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


REAL, Z = normal(0, 13, 2), normal(1, 13, 3)
GENERATOR_PARAMS = jax.tree.map(lambda a: normal(2, *a.shape), GENERATOR.init(jax.random.key(0), Z))
CRITIC_PARAMS = jax.tree.map(lambda a: normal(3, *a.shape), CRITIC.init(jax.random.key(1), REAL))
SAMPLES = GENERATOR.apply(GENERATOR_PARAMS, Z)


def distance(a, b):
    a, b = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("name", GAMES)
def test_each_player_has_the_gradient_of_autodiff_with_the_other_held(name):
    game = GAMES[name]()

    def critic_loss(params):
        return game.real(CRITIC.apply(params, REAL))[0].mean() + game.sample(CRITIC.apply(params, SAMPLES))[0].mean()

    def generator_loss(params):
        return game.generator(CRITIC.apply(CRITIC_PARAMS, GENERATOR.apply(params, Z)))[0].mean()

    value, gradient = critic_gradient(CRITIC, game, CRITIC_PARAMS, REAL, SAMPLES, None)
    assert value == pytest.approx(float(critic_loss(CRITIC_PARAMS)), rel=1e-12)
    assert distance(gradient, jax.grad(critic_loss)(CRITIC_PARAMS)) < 1e-12
    value, gradient = generator_gradient(GENERATOR, CRITIC, game, GENERATOR_PARAMS, CRITIC_PARAMS, Z, None)
    assert value == pytest.approx(float(generator_loss(GENERATOR_PARAMS)), rel=1e-12)
    assert distance(gradient, jax.grad(generator_loss)(GENERATOR_PARAMS)) < 1e-12
    wrong = generator_gradient(GENERATOR, CRITIC, game, GENERATOR_PARAMS, CRITIC_PARAMS, 1.1 * Z, None)[1]
    assert distance(wrong, gradient) > 1e-3  # control


@pytest.mark.parametrize("name", GAMES)
def test_games_have_the_derivative_of_autodiff(name):
    game, y = GAMES[name](), 3 * normal(5, 17, 1)
    for player in (game.real, game.sample, game.generator):
        assert np.allclose(player(y)[1], jax.grad(lambda y, player=player: player(y)[0].sum())(y), atol=1e-12)


@pytest.mark.parametrize("kind", ["r1", "slope_one"])
def test_penalty_is_the_double_backward_pass_of_autodiff(kind):
    key = jax.random.key(4)

    def penalty(params):
        share = jax.random.uniform(key, (13, 1), REAL.dtype)
        x = REAL if kind == "r1" else share * REAL + (1 - share) * SAMPLES
        g = jax.grad(lambda x: CRITIC.apply(params, x).sum())(x)
        squares = (g * g).sum(1)
        return 1.7 * (squares.mean() / 2 if kind == "r1" else ((jnp.sqrt(squares) - 1) ** 2).mean())

    value, gradient = penalty_gradient(CRITIC, Penalty(kind, 1.7), CRITIC_PARAMS, REAL, SAMPLES, key, None)
    assert value == pytest.approx(float(penalty(CRITIC_PARAMS)), rel=1e-12)
    assert distance(gradient, jax.grad(penalty)(CRITIC_PARAMS)) < 1e-10
    assert distance(jax.tree.map(lambda a: 1.001 * a, gradient), jax.grad(penalty)(CRITIC_PARAMS)) > 1e-4  # control


def test_slope_of_zero_has_a_finite_penalty():
    flat = jax.tree.map(jnp.zeros_like, CRITIC_PARAMS)
    value, gradient = penalty_gradient(CRITIC, Penalty("slope_one", 1.0), flat, REAL, SAMPLES, jax.random.key(0), None)
    assert float(value) == 1
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(gradient))


def update_of(**options) -> Any:
    return adversarial(GENERATOR, CRITIC, optax.sgd(0.1), optax.sgd(0.2), latent=3, **options)


BATCH = (jnp.asarray(REAL, jnp.float32), jnp.arange(13, dtype=jnp.int32) % 4)


def test_order_says_which_critic_the_generator_answers():
    """Simultaneous: the generator moves as against the critic before its update; alternating: as after it."""
    states = {}
    for order in ("alternating", "simultaneous"):
        update = update_of(order=order)
        state = update.init(jax.random.key(0), BATCH)
        states[order] = update.step(state, BATCH, jax.random.key(1))[0]
    still = adversarial(GENERATOR, CRITIC, optax.sgd(0.1), optax.sgd(0.0), latent=3)
    held, _ = still.step(still.init(jax.random.key(0), BATCH), BATCH, jax.random.key(1))
    assert distance(states["simultaneous"].generator, held.generator) < 1e-6
    assert distance(states["alternating"].generator, held.generator) > 1e-5
    assert distance(states["alternating"].critic, states["simultaneous"].critic) < 1e-6


def test_rounds_average_and_measures():
    update = update_of(rounds=3, average=0.9, penalty=Penalty("r1", 0.5), classes=4)
    state = update.init(jax.random.key(0), BATCH)
    new, sums = update.step(state, BATCH, jax.random.key(1))
    assert set(sums) == {"critic_loss", "generator_loss", "penalty"}
    expected = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, state.generator, new.generator)
    assert distance(new.average, expected) < 1e-6
    assert distance(update.params(new).generator, new.average) == 0
    scored = update.score(update.params(new), BATCH, jax.random.key(2))
    assert {"precision", "modes"} == set(scored)


def test_conditional_players_are_told_the_class():
    critic = jaxnn.dense(1)
    update: Any = adversarial(GENERATOR, critic, optax.sgd(0.1), optax.sgd(0.1), latent=3, classes=4, conditional=True)
    state = update.init(jax.random.key(0), BATCH)
    assert state.generator[0].weight.shape[0] == 7
    assert state.critic.weight.shape[0] == 6
    assert update.sample_classes == 4
    like = jax.ShapeDtypeStruct((5, 2), jnp.float32)
    a, b = (update.sample(update.params(state), jax.random.key(0), like, label) for label in (1, 2))
    assert a.shape == (5, 2)
    assert not np.allclose(a, b)
    joined = join_class(jnp.zeros((2, 3, 1)), jnp.asarray([0, 2]), 3)
    assert np.array_equal(joined[1, 0], [0, 0, 0, 1])


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: adversarial(GENERATOR, CRITIC, optax.sgd(0.1), optax.sgd(0.1), latent=0), "latent"),
        (lambda: update_of(conditional=True), "classes where conditional"),
        (
            lambda: adversarial(jaxnn.dense(3), CRITIC, optax.sgd(0.1), optax.sgd(0.1), latent=3).init(
                jax.random.key(0), BATCH
            ),
            "expected samples of the shape",
        ),
        (
            lambda: adversarial(GENERATOR, jaxnn.dense(2), optax.sgd(0.1), optax.sgd(0.1), latent=3).init(
                jax.random.key(0), BATCH
            ),
            "expected one number for each example",
        ),
    ],
)
def test_impossible_players_are_refused(build, expected):
    with pytest.raises(UserError, match=expected) as error:
        build()
    assert "\n" not in str(error.value)


def test_covered_classes_need_a_fifth_of_an_even_share():
    assert float(Covered(jnp.asarray([[50.0, 2, 10, 0], [20, 3, 10, 5]]), jnp.asarray([60.0, 40])).value()) == 4
    assert float(Covered(jnp.asarray([95.0, 4, 1, 0]), jnp.asarray(100.0)).value()) == 1


def test_samples_far_from_all_real_examples_are_not_close():
    real = normal(0, 50, 2)
    close, nearest = close_to_real(jnp.concatenate([real[:3], real[:3] + 100]), real)
    assert close.tolist() == [True] * 3 + [False] * 3
    assert nearest[:3].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "critic", "generator"), [("non_saturating", 2 * np.log(2), np.log(2)), ("hinge", 2, 0)]
)
def test_losses_at_the_equilibrium_are_those_of_a_critic_that_cannot_tell(name, critic, generator):
    levels = GAMES[name]().equilibrium()
    assert levels["critic_loss"] == pytest.approx(critic) and levels["generator_loss"] == pytest.approx(generator)
    assert jax.jit(lambda: jnp.asarray(GAMES[name]().equilibrium()["critic_loss"]))() == pytest.approx(critic)
