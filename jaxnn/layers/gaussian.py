"""The draw of a variational autoencoder: a normal number whose mean and variance a net gives."""

from typing import NamedTuple

from jax import numpy as jnp
from jaxtyping import Float

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.kernels.batch_rows import draw_normal
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_dy, check_elementary, shapes_of

#: The means, then the logarithms of the variances.
Code = Float[AnyArray, "*batch code"]
Draw = Float[AnyArray, "*batch latent"]


class GaussianResiduals(NamedTuple):
    """deviation: σ ε, which is 0 in an evaluation without a draw."""

    deviation: Draw | None
    x: Shape


def split_code(x: Code) -> tuple[Draw, Draw]:
    """The means and the logarithms of the variances."""
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def gaussian() -> Layer:
    """Draws z from the normal distribution whose mean μ and logarithm of the variance ℓ are the halves of x.

    [μ ℓ] = x;  y = μ + e^{ℓ/2} ε,  ε ~ N(0, 1)
    dx = [dy,  ½ e^{ℓ/2} ε ∘ dy]

    Derivation: ε is drawn apart from μ and ℓ, so y is a plain function of both (the reparametrization of Kingma and
    Welling 2014). ∂y/∂μ = 1, and ∂y/∂ℓ = ½ e^{ℓ/2} ε, which is half the deviation y − μ. The deviation is kept.

    x (*batch, 2 n), y (*batch, n). The same key gives the same ε; `key=None` gives y = μ.
    Raises `UserError` for an odd number of columns.
    """

    def forward(params: NoParams, x: Code, key: Key) -> tuple[Draw, GaussianResiduals]:
        check_elementary("gaussian", params, x, axes=1)
        if x.shape[-1] % 2 or not x.shape[-1]:
            raise UserError(
                f"gaussian: expected x with a mean and a logarithm of the variance for each latent number, so an even "
                f"number of columns, found shape {tuple(x.shape)}"
            )
        mean, log_variance = split_code(x)
        if key is None:
            return mean, GaussianResiduals(None, shapes_of(x))
        deviation = jnp.exp(log_variance / 2) * draw_normal(key, mean.shape, mean.dtype)
        return mean + deviation, GaussianResiduals(deviation, shapes_of(x))

    def backward(params: NoParams, res: GaussianResiduals, dy: Draw) -> tuple[NoParams, Code]:
        del params
        check_dy("gaussian", dy, (*res.x.shape[:-1], res.x.shape[-1] // 2))
        dlog_variance = jnp.zeros_like(dy) if res.deviation is None else dy * res.deviation / 2
        return (), jnp.concatenate([dy, dlog_variance], -1)

    return Layer(empty_init, forward, backward, "gaussian")
