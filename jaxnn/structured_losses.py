"""Losses of outputs or targets that are more than one array: the evidence lower bound, and the detection of objects."""

from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.errors import UserError
from jaxnn.kernels.sums import sum_outputs
from jaxnn.loss import Loss, Reduction, make_loss
from jaxnn.shapes import describe_shapes
from jaxnn.targets import BOX, Boxes, Output, Target, Weighted, spread_weight


def pixel_nats(logits: Output, target: Target) -> Float[Array, "batch"]:
    """−ln p(t) of each example, Σₖ tₖ softplus(−lₖ) + (1 − tₖ) softplus(lₖ), from logits of its pixels (batch, …)."""
    t = jnp.asarray(target, logits.dtype)
    terms = t * jax.nn.softplus(-logits) + (1 - t) * jax.nn.softplus(logits)
    return sum_outputs(terms.reshape(len(logits), -1))


def elbo(reduction: Reduction = "mean", beta: float = 1.0) -> Loss:
    """The negative evidence lower bound of a variational autoencoder, in nats for each example, from logits of pixels.

    y = (logits l, code [μ ℓ]): what `with_input(serial(gaussian(), decoder))` gives
    C = Σₖ [tₖ softplus(−lₖ) + (1 − tₖ) softplus(lₖ)] + β ½ Σⱼ (μⱼ² + e^{ℓⱼ} − 1 − ℓⱼ)
    dl = σ(l) − t,  dμ = β μ,  dℓ = β ½ (e^ℓ − 1)

    The first sum is −ln p(t | z) of pixels that are 0 or 1 (a grey value counts as its share of ones), and the second
    is the divergence KL(N(μ, e^ℓ) ‖ N(0, 1)). They are measured as "reconstruction" and "divergence".

    Derivation: the first sum is the sigmoid cross-entropy. In the second, ∂/∂μ ½ μ² = μ and ∂/∂ℓ ½ (e^ℓ − ℓ) =
    ½ (e^ℓ − 1).

    l and t of one shape (batch, ...), the code (batch, 2 n). (Kingma and Welling 2014; β: Higgins et al. 2017.)
    Raises `UserError` for other outputs, and for a negative β.
    """
    if isinstance(beta, float | int) and beta < 0:
        raise UserError(f"elbo: expected beta of at least 0, found {beta}")

    def reconstruction(y, target):
        return pixel_nats(y[0], target)

    def divergence(y, target):
        del target
        mean, log_variance = jnp.split(y[1], 2, -1)
        return 0.5 * (mean**2 + jnp.expm1(log_variance) - log_variance).sum(-1)

    def derivative(y, target):
        logits, code = y
        t = jnp.asarray(target, logits.dtype)
        mean, log_variance = jnp.split(code, 2, -1)
        dcode = jnp.concatenate([mean, 0.5 * jnp.expm1(log_variance)], -1)
        return (1 - t) * jax.nn.sigmoid(logits) - t * jax.nn.sigmoid(-logits), beta * dcode

    loss = make_loss("elbo", lambda y, t: reconstruction(y, t) + beta * divergence(y, t), derivative, reduction)
    summands = (("reconstruction", reconstruction), ("divergence", divergence))
    return loss._replace(split=_split_code, summands=summands, draws=True)


def _split_code(name: str, output: Any, target: Any) -> tuple[Any, Any, Any]:
    """The output of a variational autoencoder, its target, and the weight of each example."""
    pair = isinstance(output, tuple) and len(output) == 2 and all(hasattr(a, "shape") for a in output)
    logits, code = output if pair else (jnp.zeros(0), jnp.zeros(0))
    if code.ndim != 2 or code.shape[-1] % 2 or code.shape[0] != logits.shape[0]:
        raise UserError(
            f"{name}: expected the output (logits, code), with a code (batch, 2 n), found {describe_shapes(output)}; "
            "end the net with with_input around gaussian and the decoder"
        )
    plain, weight = (target.target, target.weight) if isinstance(target, Weighted) else (target, None)
    if tuple(getattr(plain, "shape", ())) != tuple(logits.shape):
        raise UserError(
            f"{name}: expected targets of the logits' shape {tuple(logits.shape)}, found {describe_shapes(plain)}"
        )
    if weight is not None:
        weight = spread_weight(name, weight, logits.shape[:1], logits.dtype)
    return output, plain, weight


def detection(reduction: Reduction = "mean", box: float = 1.0) -> Loss:
    """Which object has its centre in each cell of a picture, if any, and where its box is.

    y = [logits l, box b] (batch, rows, columns, classes + 4); target `Boxes`: label k (0: no object) and box t
    C = −ln softmax(l)ₖ + λ [k > 0] ½ Σⱼ (bⱼ − tⱼ)² for each cell, λ = `box`
    dl = softmax(l) − eₖ, eₖ the row with a one at k;  db = λ [k > 0] (b − t)

    They are measured as "class_loss" and "box_loss". A mean is over the cells of all pictures.

    Derivation: the first term is the softmax cross-entropy of the cell's label, the second λ times the quadratic cost
    of its box, where it has one. No cell sees another one's output.

    The four numbers of a box are those of `Boxes`. One pass over all places, after Redmon et al. 2016.
    Raises `UserError` for a negative λ, and for outputs and targets that do not fit.
    """
    if isinstance(box, float | int) and box < 0:
        raise UserError(f"detection: expected a weight of the box of at least 0, found {box}")

    def class_loss(y, target):
        log_shares = jax.nn.log_softmax(y[..., :-BOX])
        return -jnp.take_along_axis(log_shares, target.label[..., None], -1)[..., 0]

    def box_loss(y, target):
        squares = ((y[..., -BOX:] - target.box) ** 2).sum(-1)
        return jnp.where(target.label > 0, 0.5 * box * squares, 0)

    def derivative(y, target):
        logits = y[..., :-BOX]
        dlogits = jax.nn.softmax(logits) - jax.nn.one_hot(target.label, logits.shape[-1], dtype=y.dtype)
        dbox = jnp.where((target.label > 0)[..., None], box * (y[..., -BOX:] - target.box), 0)
        return jnp.concatenate([dlogits, dbox], -1)

    loss = make_loss("detection", lambda y, t: class_loss(y, t) + box_loss(y, t), derivative, reduction)
    return loss._replace(split=_split_cells, summands=(("class_loss", class_loss), ("box_loss", box_loss)))


def _split_cells(name: str, output: Any, target: Any) -> tuple[Any, Any, Any]:
    """The output of a detector, its target, and the weight of each cell."""
    plain, weight = (target.target, target.weight) if isinstance(target, Weighted) else (target, None)
    cells: tuple[int, ...] = tuple(getattr(output, "shape", ()))[:-1]
    if len(cells) != 3 or output.shape[-1] < BOX + 2:
        raise UserError(
            f"{name}: expected the output (batch, rows, columns, classes + {BOX}), at least 2 classes, found "
            f"{describe_shapes(output)}; end the net with a convolution that has as many channels"
        )
    if (
        not isinstance(plain, Boxes)
        or plain.label.shape != cells
        or plain.box.shape[:-1] != cells
        or plain.box.shape[-1] != BOX
    ):
        raise UserError(
            f"{name}: expected Boxes with a label and a box for each of {cells} cells, found {describe_shapes(plain)}; "
            "give the net as many rows and columns as the data have cells"
        )
    plain = Boxes(jnp.asarray(plain.label), jnp.asarray(plain.box, output.dtype))
    return output, plain, None if weight is None else spread_weight(name, weight, cells, output.dtype)


def prediction_of_cells(y: Any) -> Any:
    """The output of a detector with the probabilities of the classes in place of their logits."""
    return jnp.concatenate([jax.nn.softmax(y[..., :-BOX]), y[..., -BOX:]], -1)
