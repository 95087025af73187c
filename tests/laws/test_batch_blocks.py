"""A batch that is taken block by block gives what it gives at once, for every way that blocks can divide it."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.certify.cases import TABLE, build_case
from jaxnn.certify.laws import LAWS
from jaxnn.kernels import batch_blocks
from jaxnn.layers import conv
from jaxnn.summary import summary


@pytest.mark.parametrize("most", [1, 2, 3, 4, 7, 11, 100])
def test_blocks_give_what_the_whole_batch_gives(most, monkeypatch):
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", most)
    x, y = jax.random.normal(jax.random.key(0), (11, 3)), jax.random.normal(jax.random.key(1), (11, 5))
    np.testing.assert_allclose(batch_blocks.summed(lambda x, y: x.T @ y, (x, y), 1), x.T @ y, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(batch_blocks.mapped(lambda x: jnp.cos(x), (x,), 1), jnp.cos(x))


def test_the_arithmetic_of_blocks_is_counted_whole(monkeypatch):
    """A compiler counts the body of a loop once."""
    x = jax.ShapeDtypeStruct((11, 7, 5, 1), jnp.float32)
    whole = summary(conv(3, 2), x).flops
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", 1)
    assert summary(conv(3, 2), x).flops == whole


@pytest.mark.parametrize("law", ["autodiff", "hessian", "shard_map", "vmap"])
@pytest.mark.parametrize("of", ["conv", "conv: many channels"])
def test_the_laws_hold_where_a_batch_is_cut(law, of, monkeypatch):
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", 1)
    finding = LAWS[law].measure(build_case(TABLE[of]))
    assert finding.holds, str(finding)
