"""From a config to the functions that it names."""

from typing import TYPE_CHECKING

from jaxnn.config.schema import Config

if TYPE_CHECKING:
    import optax

    from jaxnn.layer import Layer
    from jaxnn.losses import Loss
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
    """The loss, with its reduction and its class weights."""
    from jaxnn.losses import LOSSES, class_weighted

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
    from jaxnn.train.augment import Augment, augmented
    from jaxnn.train.supervised import supervised

    update = supervised(
        build_model(config),
        build_loss(config),
        build_optimizer(config),
        grad=GRADIENTS[grad],
        average=config.optimizer.average,
    )
    return update if config.augment is None else augmented(update, Augment(**dict(config.augment)))
