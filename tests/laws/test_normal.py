"""The standard normal's cumulative distribution function against SciPy's in float64, and its derivative."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy.special import ndtr

from jaxnn.kernels.normal import normal_cumulative

#: Half the distance of 1 and the next float32: the relative error of one rounding.
ROUNDING = 2.0**-24


def test_in_float32_it_has_the_digits_of_a_few_roundings():
    x = np.concatenate([np.linspace(-12.9, 8, 200_001), [-1e-30, 0, 1e-30]]).astype(np.float32)
    exact = ndtr(x.astype(np.float64))
    error = np.abs(np.asarray(jax.jit(normal_cumulative)(x), np.float64) - exact) / exact
    # The rounding of x²/2 is an error of the exponent, which the exponential turns into a relative one.
    assert np.all(error <= 8 * ROUNDING * (1 + np.minimum(x, 0) ** 2 / 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_derivative_is_the_density_at_zero_too(dtype):
    x = np.array([-4, -0.3, 0, 1e-3, 2.5], dtype)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(jax.vmap(jax.grad(normal_cumulative))(x), density, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, jnp.bfloat16])
def test_far_away_it_is_0_or_1_and_nan_stays_nan(dtype):
    y = normal_cumulative(jnp.array([-np.inf, -200, 200, np.inf, np.nan], dtype))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.astype(np.float32), np.array([0, 0, 1, 1, np.nan]))
