"""A batch split into blocks gives the result of the whole batch, for every way that blocks can divide it."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.certify.cases import TABLE, build_case
from jaxnn.certify.laws import LAWS
from jaxnn.kernels import batch_blocks
from jaxnn.layers import conv
from jaxnn.summary import summary


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 11, 100])
def test_blocks_equal_the_whole_batch(limit, monkeypatch):
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", limit)
    x, y = jax.random.normal(jax.random.key(0), (11, 3)), jax.random.normal(jax.random.key(1), (11, 5))
    product = batch_blocks.sum_over_blocks(lambda x, y: x.T @ y, (x, y), 1)
    np.testing.assert_allclose(product, x.T @ y, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(batch_blocks.map_over_blocks(lambda x: jnp.cos(x), (x,), 1), jnp.cos(x))


def test_summary_counts_the_flops_of_all_blocks(monkeypatch):
    """XLA counts the body of a loop once."""
    x = jax.ShapeDtypeStruct((11, 7, 5, 1), jnp.float32)
    whole = summary(conv(3, 2), x).flops
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", 1)
    assert summary(conv(3, 2), x).flops == whole


@pytest.mark.parametrize("law", ["autodiff", "hessian", "shard_map", "vmap"])
@pytest.mark.parametrize("case", ["conv", "conv: many channels"])
def test_laws_hold_for_split_batches(law, case, monkeypatch):
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", 1)
    finding = LAWS[law].measure(build_case(TABLE[case]))
    assert finding.holds, str(finding)
