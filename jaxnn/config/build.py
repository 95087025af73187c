"""From a config to the functions that it names."""

from typing import TYPE_CHECKING

from jaxnn.config.schema import AdversarialTable, Config, NoiseTable
from jaxnn.errors import UserError

if TYPE_CHECKING:
    import optax

    from jaxnn.layer import Layer
    from jaxnn.loss import Loss
    from jaxnn.train.second_order import SecondOrder
    from jaxnn.train.step import Update


def build_model(config: Config) -> "Layer":
    """The net: its layers in a row, computed in `train.compute` where that is another precision."""
    from jaxnn.config.layers import build_serial

    model = build_serial(config.net)
    if config.train.compute in (None, config.train.precision):
        return model
    from jaxnn.precision import compute_in

    return compute_in(model, config.train.compute)


def build_loss(config: Config) -> "Loss":
    """The loss, with its reduction and its class weights. Raises `UserError` for a config of two players."""
    from jaxnn.loss import class_weighted
    from jaxnn.losses import LOSSES

    if config.loss is None:
        raise UserError(f"{config.title}: expected a net with one loss, found two players; each of them has its own")
    loss = LOSSES[config.loss.name](**config.loss.options)
    return class_weighted(loss, config.loss.class_weights) if config.loss.class_weights else loss


def build_optimizer(config: Config) -> "optax.GradientTransformation | SecondOrder":
    """The optimizer, with its learning rate or schedule and its decay."""
    return config.optimizer.build()


def build_update(config: Config, grad: str = "hand") -> "Update":
    """The training step, measured by the loss and by the metrics that apply to the targets.

    grad: "hand" or "auto", the kind of gradient
    """
    from jaxnn.backprop import GRADIENTS
    from jaxnn.losses import prediction_of
    from jaxnn.train.augment import Augment, augmented
    from jaxnn.train.novelty import novelty
    from jaxnn.train.supervised import supervised

    if config.adversarial is not None:
        return build_adversarial(config, config.adversarial)
    loss = build_loss(config)
    update = supervised(
        build_model(config),
        loss,
        build_optimizer(config),
        grad=GRADIENTS[grad],
        # A net that says its input again predicts numbers, not classes, whatever its loss.
        predict=prediction_of(loss) if config.train.target == "input" else None,
        average=config.optimizer.average,
    )
    if config.data.normal is not None:
        update = novelty(update)
    if config.noise is not None:
        update = build_noise(config.noise, update)
    return update if config.augment is None else augmented(update, Augment(**dict(config.augment)))


def build_noise(table: NoiseTable, update: "Update") -> "Update":
    """The update with the noise that the table names."""
    from jaxnn.train.flow import flow
    from jaxnn.train.noise import NOISES, noisy

    if table.name == "flow":
        return flow(update, **table.options)
    return noisy(update, NOISES[table.name](**table.options))


def build_adversarial(config: Config, table: AdversarialTable) -> "Update":
    """The training step of two players: `[[net]]` is the generator."""
    from jaxnn.config.layers import build_serial
    from jaxnn.train.adversarial import Penalty, adversarial
    from jaxnn.train.games import GAMES

    generator_optimizer, critic_optimizer = build_optimizer(config), table.optimizer.build()
    return adversarial(
        build_model(config),
        build_serial(table.critic),
        generator_optimizer,  # pyright: ignore[reportArgumentType]  # `adversarial` refuses a second-order method
        critic_optimizer,  # pyright: ignore[reportArgumentType]
        latent=table.latent,
        game=GAMES[table.game](),
        order=table.order,
        rounds=table.rounds,
        penalty=None if table.penalty is None else Penalty(table.penalty.kind, table.penalty.weight),
        average=config.optimizer.average,
        classes=table.classes,
        conditional=table.conditional,
    )
