"""Every test runs with strict numbers: shapes checked, no silent promotion, float64 at hand, eight devices."""

import os

# A test's programs are compiled anew, here and in the processes that it starts: nobody's cache folder is touched.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"

import jax
from jaxtyping import install_import_hook

# An integer is a number too, a real number a complex one, and so is one that is traced: rates are inputs of a compiled
# training.
NUMBERS = "beartype.FrozenDict({float: float | int | __import__('jax').core.Tracer, complex: complex | float | int})"
install_import_hook("jaxnn", f"beartype.beartype(conf=beartype.BeartypeConf(hint_overrides={NUMBERS}))")

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
