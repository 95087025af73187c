"""Every test runs with strict numbers: shapes checked, no silent promotion, float64 at hand, eight devices."""

import jax
from jaxtyping import install_import_hook

# An integer is a number too: `is_pep484_tower`.
install_import_hook("jaxnn", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
