"""Matrices are factored on several devices of a CPU at once without end only if each waits for no other."""

import subprocess
import sys

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.initializers import initializer
from jaxnn.kernels.factorization import one_at_a_time

#: Four matrices of 128 × 128 on each of two devices: XLA's own batch of them never ended.
TWO_DEVICES = """
import jax, numpy as np
from jax import numpy as jnp
from jax.sharding import Mesh, PartitionSpec as P
from jaxnn.initializers import initializer
from jaxnn.kernels.factorization import one_at_a_time
jax.config.update("jax_num_cpu_devices", 2)

def factors(key):
    make = initializer("orthogonal")
    q, *others = (make(k, (128, 128), jnp.float32) for k in jax.random.split(key, 3))
    return q, others, one_at_a_time(jnp.linalg.eigh)(q + q.T)[0]

mesh = Mesh(np.array(jax.devices()), ("seeds",))
each = jax.jit(jax.shard_map(jax.vmap(factors), mesh=mesh, in_specs=P("seeds"), out_specs=P("seeds")))
for i in range(10):
    q, *_ = jax.block_until_ready(each(jax.random.split(jax.random.key(i), 8)))
print(float(abs(q @ q.swapaxes(1, 2) - jnp.eye(128)).max()))
"""


def test_devices_factor_batches_of_matrices_at_once():
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, timeout=120, check=True)
    assert float(done.stdout) < 1e-5


def test_factors_of_a_batch_are_those_of_each_matrix():
    make = initializer("orthogonal")
    keys = jax.random.split(jax.random.key(0), 3)
    batch = jax.jit(jax.vmap(lambda key: make(key, (7, 5), jnp.float32)))(keys)
    assert all(np.array_equal(row, make(key, (7, 5), jnp.float32)) for row, key in zip(batch, keys, strict=True))
    matrices = batch @ batch.swapaxes(1, 2)
    values, _ = jax.vmap(one_at_a_time(jnp.linalg.eigh))(matrices)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices), atol=1e-5)
