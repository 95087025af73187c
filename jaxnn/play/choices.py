"""What the page offers: data sets, layers, losses and optimizers with their options, pages of layers, guided scenes."""

import functools
import tomllib
from importlib.resources import files
from typing import Any

from jaxnn.config.reference import FieldHelp, variants
from jaxnn.config.shipped import shipped_folder
from jaxnn.errors import UserError

#: The layers of a net that the page builds: those for points and for images.
OFFERED_LAYERS = (
    "dense", "relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "leaky_relu", "dropout", "layer_norm", "batch_norm",
    "conv", "max_pool", "average_pool", "flatten", "softmax",
)  # fmt: skip
OFFERED_LOSSES = ("softmax_cross_entropy", "cross_entropy", "quadratic", "hinge")
OFFERED_OPTIMIZERS = ("gradient_descent", "momentum", "adam", "adamw", "rmsprop", "adagrad", "lion", "lbfgs")
OFFERED_DATA = ("circles", "moons", "blobs", "gaussians", "spirals", "chess_board", "curve", "points", "digits")
#: In the order in which a teacher shows them.
SCENES = ("a_line_is_not_enough", "over_fitting", "too_large_a_rate", "sigmoid_against_relu", "seeds_differ")


@functools.cache
def choices() -> dict[str, Any]:
    """kind -> name -> the options that its table has, each with name, type, default and meaning."""
    found = variants()
    offered = {
        "data": OFFERED_DATA,
        "layer": OFFERED_LAYERS,
        "loss": OFFERED_LOSSES,
        "optimizer": OFFERED_OPTIMIZERS,
    }
    return {
        kind: {name: [_option(field) for field in found[kind][name]] for name in names if name in found[kind]}
        for kind, names in offered.items()
    }


def _option(field: FieldHelp) -> dict[str, Any]:
    default = field.default if isinstance(field.default, bool | int | float | str) else None
    return {"name": field.name, "type": field.type, "default": default, "help": field.help, "required": field.required}


def layer_page(name: str) -> str:
    """The page of a layer or a loss: formula, derivation, code, certificate and planted mistakes, as Markdown.

    Raises `UserError` for a name that has none.
    """
    found = variants()
    if name not in found["layer"] and name not in found["loss"]:
        raise UserError(f"expected the name of a layer or a loss, found {name[:60]!r}")
    return (shipped_folder("layer_pages", "docs/layers") / f"{name}.md").read_text("utf-8")


def scenes() -> list[dict[str, Any]]:
    """The guided scenes: name, and the config that each begins with as TOML and as tables."""
    folder = files("jaxnn.play").joinpath("scenes")
    texts = {name: folder.joinpath(f"{name}.toml").read_text("utf-8") for name in SCENES}
    return [{"name": name, "toml": text, "config": tomllib.loads(text)} for name, text in texts.items()]
