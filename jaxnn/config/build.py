"""From a config to the functions that it names."""

from typing import TYPE_CHECKING

from jaxnn.config.schema import Config

if TYPE_CHECKING:
    import optax

    from jaxnn.layer import Layer
    from jaxnn.losses import Loss
    from jaxnn.train.second_order import FullBatch


def build_model(config: Config) -> "Layer":
    """The net: its layers in a row."""
    from jaxnn.combine import serial

    return serial(*(layer.build() for layer in config.net))


def build_loss(config: Config) -> "Loss":
    """The loss, with its reduction."""
    from jaxnn.losses import LOSSES

    return LOSSES[config.loss.name](**config.loss.options)


def build_optimizer(config: Config) -> "optax.GradientTransformation | FullBatch":
    """The optimizer, with its learning rate or schedule and its decay."""
    return config.optimizer.build()
