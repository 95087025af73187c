"""Adversarial training: a generator makes samples, and a critic tells them from real examples."""

from typing import Any, Literal, NamedTuple

import jax
import optax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxnn.batch_statistics import has_statistics, leave_statistics, settle
from jaxnn.errors import UserError, describe
from jaxnn.layer import Batch, Layer, Params, check_layer
from jaxnn.quantities import Covered, Quantity, Sum
from jaxnn.train.games import Game, check_verdicts, non_saturating
from jaxnn.train.player_gradients import Penalty, critic_gradient, generator_gradient, penalty_gradient
from jaxnn.train.step import Update
from jaxnn.train.supervised import library_arithmetic

Order = Literal["alternating", "simultaneous"]


class Players(NamedTuple):
    """The parameters of both nets, the states of their optimizers, and the average of the generator's parameters."""

    generator: Params
    critic: Params
    generator_optimizer: Any
    critic_optimizer: Any
    average: Params = ()


class Roles(NamedTuple):
    """The parameters that are saved: those of the generator (their average, where there is one) and of the critic."""

    generator: Params
    critic: Params


def adversarial(
    generator: Layer,
    critic: Layer,
    generator_optimizer: optax.GradientTransformation,
    critic_optimizer: optax.GradientTransformation,
    *,
    latent: int,
    game: Game | None = None,
    order: Order = "alternating",
    rounds: int = 1,
    penalty: Penalty | None = None,
    average: float | None = None,
    classes: int = 0,
    conditional: bool = False,
) -> Update:
    """The update of two players. Its batches are pairs (x, labels) of real examples; the labels may be anything.

    generator: from z (batch, latent) ~ N(0, 1) to samples of the shape of x
    critic: from x to a number for each example, (batch, 1)
    game: `non_saturating`, `hinge` or `wasserstein` of `jaxnn.train.games`
    order: "alternating": the generator answers the critic after its update; "simultaneous": the one before
    rounds: updates of the critic in each step, each with new samples
    average: a in [0, 1): what is sampled and saved is ā ← a ā + (1 − a) params of the generator
    classes: of the labels; then "modes" counts the classes that samples are close to, in a test of all classes
    conditional: both players are told the class as a row with a one, joined to z and to the channels of x

    Measured: "generator_loss", "critic_loss" and "penalty"; at the end also "precision", the share of samples as close
    to a real example as real examples are to each other, and "modes".
    Raises `UserError` for what is no layer or optimizer, for a critic that normalizes over the batch, and for shapes
    that do not fit.
    """
    for name, layer in (("generator", generator), ("critic", critic)):
        check_layer(f"adversarial: {name}", layer)
    for optimizer in (generator_optimizer, critic_optimizer):
        if not isinstance(optimizer, optax.GradientTransformation):
            raise UserError(f"adversarial: expected an optax optimizer for each player, found {describe(optimizer)}")
    if latent < 1 or rounds < 1 or classes < 0 or (conditional and not classes):
        raise UserError(
            f"adversarial: expected latent and rounds of at least 1, and classes where conditional, found latent "
            f"{latent}, rounds {rounds}, classes {classes}, conditional {conditional}"
        )
    if order not in ("alternating", "simultaneous"):
        raise UserError(f"adversarial: expected order 'alternating' or 'simultaneous', found {order!r}")
    if has_statistics(critic):
        raise UserError(
            "critic: expected a net that judges each example alone, found batch_norm, which mixes the batch; use "
            "group_norm or layer_norm"
        )
    play = non_saturating() if game is None else game

    def told(a: Batch, labels: Any) -> Batch:
        return join_class(a, labels, classes) if conditional else a

    def draw(key: PRNGKeyArray, like: Batch, labels: Any) -> Batch:
        return told(jax.random.normal(key, (like.shape[0], latent), like.dtype), labels)

    def init(key, example):
        x, labels = example
        key_generator, key_critic = jax.random.split(key)
        z = jax.eval_shape(draw, key, x, labels)
        made = generator.init(key_generator, z)
        samples = jax.eval_shape(generator.apply, made, z)
        if tuple(samples.shape) != tuple(x.shape):
            raise UserError(f"generator: expected samples of the shape {tuple(x.shape)}, found {tuple(samples.shape)}")
        judged = critic.init(key_critic, seen := jax.eval_shape(told, x, labels))
        check_verdicts(jax.eval_shape(critic.apply, judged, seen), x.shape[0])
        return restart(Roles(made, judged), example)

    def restart(params: Roles, example):
        del example
        with library_arithmetic():
            made_state = leave_statistics(generator_optimizer, params.generator).init(params.generator)
            states = made_state, critic_optimizer.init(params.critic)
        return Players(*params, *states, () if average is None else params.generator)

    def train_critic(state: Players, x, labels, key) -> tuple[Players, Any, Any]:
        key_z, key_nets, key_penalty = jax.random.split(key, 3)
        samples = generator.apply(state.generator, draw(key_z, x, labels), key_nets)
        value, dcritic = critic_gradient(critic, play, state.critic, told(x, labels), told(samples, labels), key_nets)
        bound = jnp.zeros((), x.dtype)
        if penalty is not None:
            bound, extra = penalty_gradient(
                critic, penalty, state.critic, told(x, labels), told(samples, labels), key_penalty, key_nets
            )
            dcritic = jax.tree.map(jnp.add, dcritic, extra)
        params, optimizer = _updated(critic_optimizer, dcritic, state.critic_optimizer, state.critic)
        return state._replace(critic=params, critic_optimizer=optimizer), value, bound

    def step(state: Players, batch, key):
        x, labels = batch
        before = state.critic
        critic_loss = bound = jnp.zeros((), x.dtype)
        for i in range(rounds):
            state, critic_loss, bound = train_critic(state, x, labels, jax.random.fold_in(key, i))
        judge = before if order == "simultaneous" else state.critic
        key_z, key_nets, _ = jax.random.split(jax.random.fold_in(key, rounds), 3)
        z = draw(key_z, x, labels)
        generator_loss, dgenerator = generator_gradient(
            generator, critic, play, state.generator, judge, z, key_nets, lambda samples: told(samples, labels)
        )
        params, optimizer = _updated(generator_optimizer, dgenerator, state.generator_optimizer, state.generator)
        averaged = () if average is None else optax.incremental_update(params, state.average, 1 - average)
        state = state._replace(generator=params, generator_optimizer=optimizer, average=averaged)
        return state, sums_of(len(x), critic_loss, generator_loss, bound)

    def sums_of(n, critic_loss, generator_loss, bound=None):
        count = jnp.full((), n, critic_loss.dtype)
        sums = {"critic_loss": critic_loss, "generator_loss": generator_loss}
        if penalty is not None and bound is not None:
            sums["penalty"] = bound
        return {name: Sum(value * count, count) for name, value in sums.items()}

    def evaluate(params: Roles, batch, key):
        x, labels = batch
        samples = generator.apply(params.generator, draw(key, x, labels))
        on_samples = critic.apply(params.critic, told(samples, labels))
        on_real = critic.apply(params.critic, told(x, labels))
        critic_loss = play.real(on_real)[0].mean() + play.sample(on_samples)[0].mean()
        return sums_of(len(x), critic_loss, play.generator(on_samples)[0].mean())

    def settled(state: Players, batch, count, key):
        def z(i):
            return draw(jax.random.fold_in(key, i), *batch(i))

        params = settle(generator, state.generator if average is None else state.average, z, count, key)
        return state._replace(generator=params) if average is None else state._replace(average=params)

    def score(params: Roles, batch, key):
        x, labels = batch
        samples = generator.apply(params.generator, draw(key, x, labels))
        close, nearest = close_to_real(samples, x)
        sums: dict[str, Quantity] = {"precision": Sum(close.sum().astype(x.dtype), jnp.full((), len(x), x.dtype))}
        if classes:
            hits = jax.nn.one_hot(labels[nearest], classes, dtype=x.dtype) * close[:, None]
            sums["modes"] = Covered(hits.sum(0), jnp.full((), len(x), x.dtype))
        return sums

    def sample(params: Roles, key, x, label):
        key_z, key_label = jax.random.split(key)
        labels = jax.random.randint(key_label, (x.shape[0],), 0, max(classes, 1), jnp.int32)
        return generator.apply(
            params.generator, draw(key_z, x, labels if label is None else jnp.full_like(labels, label))
        )

    return Update(
        init,
        step,
        evaluate,
        lambda state: Roles(state.generator if average is None else state.average, state.critic),
        settle=settled if has_statistics(generator) else None,
        restart=restart,
        sample=sample,
        levels=tuple(play.equilibrium().items()),
        sample_classes=classes if conditional else 0,
        score=score,
    )


def join_class(a: Batch, labels: Any, classes: int) -> Batch:
    """An array (batch, …, channel) with a channel for each class beside its own: 1 for the label, 0 for the others."""
    rows = jax.nn.one_hot(labels, classes, dtype=a.dtype)
    rows = rows.reshape(len(a), *[1] * (a.ndim - 2), classes)
    return jnp.concatenate([a, jnp.broadcast_to(rows, (*a.shape[:-1], classes))], -1)


def close_to_real(samples: Batch, real: Batch) -> tuple[Bool[Array, "batch"], Int[Array, "batch"]]:
    """Which samples are as close to a real example as 99 % of the real ones are to another, and the nearest to each."""
    flat_samples, flat_real = (a.reshape(len(a), -1) for a in (samples, real))

    def distances(a: Float[Array, "m n"], b: Float[Array, "k n"]) -> Float[Array, "m k"]:
        return (a * a).sum(-1)[:, None] - 2 * a @ b.T + (b * b).sum(-1)[None]

    among = distances(flat_real, flat_real)
    among = jnp.where(jnp.eye(len(among), dtype=bool), jnp.inf, among).min(-1)
    limit = jnp.quantile(among, 0.99)
    apart = distances(flat_samples, flat_real)
    return apart.min(-1) <= limit, apart.argmin(-1)


def _updated(optimizer: optax.GradientTransformation, gradient: Params, state: Any, params: Params) -> tuple[Any, Any]:
    with library_arithmetic():
        updates, state = leave_statistics(optimizer, params).update(gradient, state, params)
    return optax.apply_updates(params, updates), state
