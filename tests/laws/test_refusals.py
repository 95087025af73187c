"""Law 5: a loss refuses labels outside its classes before it computes anything."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import UserError
from jaxnn.layers import conv_max_pool
from jaxnn.losses import OUTPUT_LOSSES


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
@pytest.mark.parametrize(("outputs", "label"), [(10, -1), (10, 10), (1, 2), (1, -1)])
def test_loss_refuses_a_label_outside_its_classes(name, outputs, label):
    y = jnp.zeros((3, outputs), jnp.float32)
    with pytest.raises(UserError, match=f"expected labels 0 … {max(outputs, 2) - 1} .* found labels .*{label}"):
        OUTPUT_LOSSES[name]()(y, jnp.asarray([0, label, 1], jnp.int32))


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_loss_accepts_every_class_label(name):
    value, dy = OUTPUT_LOSSES[name]()(jnp.zeros((10, 10), jnp.float32), jnp.arange(10, dtype=jnp.int32))
    assert np.isfinite(value) and np.isfinite(dy).all()


def test_conv_max_pool_refuses_a_pool_beyond_the_image_and_any_memory():
    layer = conv_max_pool(3, 2, pool=2**62)
    with pytest.raises(UserError, match="conv_max_pool patch"):
        layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 9, 9, 1), jnp.float32))
